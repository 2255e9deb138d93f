/**
 * Experiment 8: whether D1 accepts bookmarks that are newer than the moment it is set back to. Gates keep such
 * bookmarks.
 */
import { experiment, type Judgement, short } from '../experiment.ts'

interface Session {
  rows: number[] | null
  bookmark: string | null
  error: string | null
}

interface Seen {
  /** A bookmark from after the moment of the restore. */
  newer: string | null
  /** The bookmark that the restore returned. */
  restored: string | null
  /** A read that asks for at least `newer`, after the restore; null if it was not answered in time. */
  read: (Session & { tookMs: number }) | null
  /** A write after that. */
  write: Session
}

const READ_TIMEOUT_MS = 30_000
/** The patience of Roster's callers. */
const PASSES_WITHIN_MS = 5_000

function judgeRead({ read }: Seen): Judgement {
  if (read === null) return { verdict: 'harmless', seen: `waits longer than ${READ_TIMEOUT_MS / 1000} s` }
  if (read.error !== null) return { verdict: 'harmless', seen: short(`fails: ${read.error}`) }
  const rows = read.rows?.join() ?? ''
  if (rows !== '1') return { verdict: 'unclear', seen: `rows ${rows}: the restore did not do what was asked` }
  const isQuick = read.tookMs <= PASSES_WITHIN_MS
  return { verdict: isQuick ? 'expected' : 'harmless', seen: `passes after ${(read.tookMs / 1000).toFixed(1)} s` }
}

/** Bookmarks are sorted as text. */
function judgeOrder(newer: string | null, later: string | null): Judgement {
  if (newer === null || later === null) return { verdict: 'unclear', seen: 'there is no bookmark' }
  return later > newer ? { verdict: 'expected', seen: 'later' } : { verdict: 'harmless', seen: `${later} ≤ ${newer}` }
}

const CHANGE = [{ file: 'docs/operations/restore.md', text: 'time-travel restore' }]
const ORDER_MEANS =
  'After a restore a bookmark from before it counts as newer than the writes that follow, so reads may miss those writes until each gate has dropped what it knew. Never restore without the step of the procedure that makes gates do so, and take it at once.'

export const restore = experiment<Seen>({
  number: 8,
  title: 'Time Travel: bookmarks from after the moment of a restore',
  budgetMs: 180_000,
  async run({ account, databaseId, probe, signal }) {
    const rows = (from: string, insert: number | null) => probe<Session>('rows', { from, insert })
    const first = await rows('first-primary', 1)
    if (first.error !== null) throw new Error(first.error)
    const before = await account.bookmark(databaseId)
    const { bookmark: newer } = await rows('first-primary', 2)
    const { bookmark: restored = null } = await account.restore(databaseId, before)
    const startedAtMs = Date.now()
    const timeout = new Promise<null>((resolve) => {
      const timer = setTimeout(() => resolve(null), READ_TIMEOUT_MS)
      signal.addEventListener('abort', () => clearTimeout(timer), { once: true })
    })
    const answer = await Promise.race([rows(newer ?? 'first-primary', null), timeout])
    const read = answer && { ...answer, tookMs: Date.now() - startedAtMs }
    return { newer, restored, read, write: await rows('first-primary', 3) }
  },
  checks: [
    {
      name: 'read with a newer bookmark',
      expected: 'passes within 5 s',
      meaning: '',
      harmless:
        'After a restore the reads of a tenant with writes since that moment fail or wait, until its gate has dropped the bookmarks that D1 never reaches. Never restore without the step of the procedure that makes gates do so, and say that reads fail until then.',
      change: CHANGE,
      judge: judgeRead,
    },
    {
      name: 'bookmark of the restore',
      expected: 'later than all before',
      meaning: '',
      harmless: ORDER_MEANS,
      change: CHANGE,
      judge: ({ newer, restored }) => judgeOrder(newer, restored),
    },
    {
      name: 'bookmark of the next write',
      expected: 'later than all before',
      meaning: '',
      harmless: ORDER_MEANS,
      change: CHANGE,
      judge: ({ newer, write }) => judgeOrder(newer, write.bookmark),
    },
  ],
})
