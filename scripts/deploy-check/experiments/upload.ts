/** Experiment 6: whether answers arrive while a body is still being sent, and how large a body may be. */
import { experiment, type Judgement, short } from '../experiment.ts'
import { type Sent, send } from './upload-client.ts'

interface Seen {
  early: Sent
  part: Sent
  large: Sent
}

const MEBIBYTE = 1_048_576
const EARLY_BYTES = 10 * MEBIBYTE
const EARLY_HOLD_AFTER_BYTES = 5 * MEBIBYTE
const EARLY_HOLD_MS = 10_000
/** A little more than the parts of `npm run import`. */
const PART_BYTES = 50 * MEBIBYTE
const LARGE_BYTES = 150 * MEBIBYTE

function judgeEarly({ early }: Seen): Judgement {
  if (early.status !== 200) return { verdict: 'unclear', seen: outcome(early) }
  if (early.answeredWhileHeld) return { verdict: 'expected', seen: 'answered before the body had ended' }
  return { verdict: 'harmless', seen: 'nothing before the body had ended' }
}

function judgePart({ part }: Seen): Judgement {
  const isWhole = part.status === 200 && part.readBytes === PART_BYTES
  return { verdict: isWhole ? 'expected' : 'different', seen: outcome(part) }
}

/** A front that does not want the body may close the connection before its answer is read. */
function judgeLarge({ large }: Seen): Judgement {
  const isRefused = large.status === 413 || large.status === null
  return { verdict: isRefused ? 'expected' : 'harmless', seen: outcome(large) }
}

function outcome({ status, error, readBytes }: Sent): string {
  if (status === null) return short(`cut off: ${error}`)
  return status === 200 ? `200, ${readBytes} bytes read` : String(status)
}

const IMPORT = { file: 'scripts/import-upload.ts', text: 'PART_BYTES_MAX' }

export const upload = experiment<Seen>({
  number: 6,
  title: 'Uploads: early answers, 50 MiB and 150 MiB',
  budgetMs: 900_000,
  async run(context) {
    const url = new URL('/probe/upload', context.probeUrl)
    const common = { url, token: context.token, signal: context.signal, holdAfterBytes: null, holdMs: 0 }
    const early = { ...common, bytes: EARLY_BYTES, holdAfterBytes: EARLY_HOLD_AFTER_BYTES, holdMs: EARLY_HOLD_MS }
    return {
      early: await send(early),
      part: await send({ ...common, bytes: PART_BYTES }),
      large: await send({ ...common, bytes: LARGE_BYTES }),
    }
  },
  checks: [
    {
      name: 'answers during an upload',
      expected: 'arrive before the body has ended',
      meaning: '',
      harmless:
        'An import loses nothing, but shows progress only between its parts, and a part that breaks off is sent again. Make the parts smaller and say so.',
      change: [IMPORT],
      judge: judgeEarly,
    },
    {
      name: 'body of 50 MiB',
      expected: '200, all of it read',
      meaning: 'npm run import sends parts of this size and cannot go on. Make them smaller.',
      change: [IMPORT],
      judge: judgePart,
    },
    {
      name: 'body of 150 MiB',
      expected: '413, or cut off',
      meaning: '',
      harmless: 'The plan of this account allows more, or says it otherwise. Correct the sentence about request sizes.',
      change: [{ file: 'README.md', text: 'import' }],
      judge: judgeLarge,
    },
  ],
})
