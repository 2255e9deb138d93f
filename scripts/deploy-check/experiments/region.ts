/** Experiment 3: how soon the API returns the region of a new D1. New gates are created there, and never move. */
import { type Database, experiment, type Judgement } from '../experiment.ts'

interface Seen {
  /** The responses, and how long after the creation each came. */
  answers: { afterMs: number; running: string | null; created: string | null }[]
}

const PATIENCE_MS = 20_000
const POLL_MS = 1_000
/** `npm run deploy` waits this long for it. */
const WAITED_FOR_MS = 10_000

function judge({ answers }: Seen): Judgement {
  const running = answers.find((answer) => answer.running !== null)
  const created = answers.findLast((answer) => answer.created !== null)?.created ?? 'absent'
  const also = `created_in_region ${created}`
  if (running) {
    const seconds = (running.afterMs / 1000).toFixed(1)
    const verdict = running.afterMs <= WAITED_FOR_MS ? 'expected' : 'harmless'
    return { verdict, seen: `${running.running} after ${seconds} s; ${also}` }
  }
  return { verdict: created === 'absent' ? 'different' : 'harmless', seen: `never; ${also}` }
}

export const region = experiment<Seen>({
  number: 3,
  title: 'Region: does a new D1 say where it runs?',
  budgetMs: 60_000,
  async run(context) {
    const { name } = await context.createDatabase('region')
    const startedAtMs = Date.now()
    const answers: Seen['answers'] = []
    do {
      const database: Partial<Database> = (await context.account.database(name)) ?? {}
      const afterMs = Date.now() - startedAtMs
      answers.push({
        afterMs,
        running: database.running_in_region ?? null,
        created: database.created_in_region ?? null,
      })
      if (database.running_in_region) break
      await context.sleep(POLL_MS)
    } while (Date.now() - startedAtMs < PATIENCE_MS)
    return { answers }
  },
  checks: [
    {
      name: 'running_in_region',
      expected: 'there within 10 s',
      meaning:
        'npm run deploy cannot know where to create gates. Always give --location on the first deployment; without it each gate stays near its first caller, far from D1.',
      harmless:
        'npm run deploy takes created_in_region or --location instead. Give --location on the first deployment.',
      change: [{ file: 'scripts/deploy/provision.mjs', text: 'primaryRegion' }],
      judge,
    },
  ],
})
