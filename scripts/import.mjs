/**
 * `npm run import -- file.csv --key … --url …`: sends a file of customers and says what became of each line that failed.
 * What was sent and answered is noted beside the file, so that `--resume` goes on from there after an interruption; sending
 * a line twice does no harm. Exit code: 0 all went in, 1 some lines failed, 2 it could not run to the end, 130 interrupted.
 */
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { parseMap, readLines, UsageError } from './import-rows.mjs'

const USAGE = `npm run import -- <file.csv|file.ndjson> [options]

  --key <key>      an API key with the scope customers:write; else the variable ROSTER_KEY
  --url <url>      where Roster is served; else http://127.0.0.1:8787
  --map <pairs>    "Company=name,Plan=metadata.plan,Notes=": which column is which field, none to leave it out
  --dry-run        say what would become of each line, and change nothing
  --resume         go on after an interruption`

const ATTEMPTS_MAX = 5
const RETRY_MS = 1_000
const NOTE_EVERY_MS = 500
const BAR_WIDTH = 30

const counts = { created: 0, updated: 0, unchanged: 0, error: 0 }
/** Lines that were answered, from the beginning of the file, and how far into it the last of them ends. */
let answered = 0
let bytesAnswered = 0
let notedAtMs = 0

try {
  process.exitCode = await main(readOptions())
} catch (error) {
  clearBar()
  console.error(error instanceof UsageError ? error.message : `The import failed: ${error.message}`)
  process.exitCode = 2
}

function readOptions() {
  const string = { type: 'string' }
  const flag = { type: 'boolean', default: false }
  let parsed
  try {
    const options = { key: string, url: string, map: string, 'dry-run': flag, resume: flag, help: flag }
    parsed = parseArgs({ allowPositionals: true, options })
  } catch (error) {
    throw new UsageError(`${error.message}\n\n${USAGE}`)
  }
  const { values, positionals } = parsed
  if (values.help || positionals.length !== 1) throw new UsageError(USAGE)
  const key = values.key ?? process.env.ROSTER_KEY
  if (!key) throw new UsageError('There is no key: send --key, or set ROSTER_KEY')
  const url = new URL('/v1/customers/import', values.url ?? 'http://127.0.0.1:8787')
  if (values['dry-run']) url.searchParams.set('dry_run', 'true')
  const [file] = positionals
  let size
  try {
    size = statSync(file).size
  } catch {
    throw new UsageError(`There is no file ${file}`)
  }
  return { file, size, key, url, map: parseMap(values.map), dryRun: values['dry-run'], resume: values.resume }
}

async function main(options) {
  const note = noteOf(options)
  if (options.resume) note.read()
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => {
      note.write()
      clearBar()
      console.error(`Interrupted after ${answered} lines. Go on with --resume.`)
      process.exit(130)
    })
  }
  for (let attempt = 1; ; attempt++) {
    const before = answered
    const end = await send(options, note)
    if (end.kind === 'done') break
    note.write()
    if (end.kind === 'stopped') {
      clearBar()
      console.error(`${end.message}\nStopped after ${answered} lines. Mend that, then go on with --resume.`)
      return 2
    }
    if (answered > before) attempt = 1
    if (attempt === ATTEMPTS_MAX) throw new Error(`${end.message}. After ${answered} lines; go on with --resume`)
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS * attempt))
  }
  note.remove()
  clearBar()
  const { created, updated, unchanged, error } = counts
  const would = options.dryRun ? 'Dry run, nothing was changed: ' : ''
  console.log(`${would}${created} created, ${updated} updated, ${unchanged} unchanged, ${error} failed.`)
  return error > 0 ? 1 : 0
}

/** Sends what was not answered yet, and tells how it ended: `done`, `stopped` for good, or `broken` off. */
async function send(options, note) {
  const sent = []
  let problem = null
  const body = new ReadableStream(
    {
      async pull(controller) {
        try {
          const { done, value } = await lines.next()
          if (done) return controller.close()
          sent.push(value)
          controller.enqueue(encoder.encode(`${value.text}\n`))
        } catch (error) {
          problem = error
          controller.error(error)
        }
      },
    },
    { highWaterMark: 64 },
  )
  const encoder = new TextEncoder()
  const lines = unanswered(options)
  let answer
  try {
    const headers = { authorization: `Bearer ${options.key}`, 'content-type': 'application/x-ndjson' }
    answer = await fetch(options.url, { method: 'POST', headers, body, duplex: 'half' })
    if (answer.status >= 500 || answer.status === 429)
      return { kind: 'broken', message: `Roster answered ${answer.status}` }
    if (!answer.ok) return { kind: 'stopped', message: `Roster answered ${answer.status}: ${await messageOf(answer)}` }
    for await (const result of resultsOf(answer.body)) {
      if (result.stopped) return { kind: 'stopped', message: result.errors[0].message }
      took(result, sent.shift(), options, note)
    }
    return sent.length === 0 && !problem ? { kind: 'done' } : { kind: 'broken', message: 'The answer broke off' }
  } catch (error) {
    if (problem) throw problem
    return { kind: 'broken', message: `Roster can not be reached at ${options.url.origin} (${causeOf(error)})` }
  }
}

async function* unanswered({ file, map }) {
  let at = 0
  const onColumns = answered === 0 ? sayColumns : () => {}
  for await (const line of readLines(file, { map, onColumns })) if (++at > answered) yield line
}

function took(result, { lineNumber, bytes }, options, note) {
  answered++
  bytesAnswered = bytes
  counts[result.result]++
  if (result.result === 'error') {
    clearBar()
    const who = result.external_id === null ? '' : ` (${result.external_id})`
    const why = result.errors.map(({ field, message, fix }) => `${field || 'it'} ${message}: ${fix}`).join('; ')
    console.error(`line ${lineNumber}${who}: ${why}`)
  }
  if (Date.now() - notedAtMs < NOTE_EVERY_MS) return
  notedAtMs = Date.now()
  note.write()
  drawBar(options.size)
}

async function* resultsOf(stream) {
  let rest = ''
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const parts = (rest + text).split('\n')
    rest = parts.pop()
    for (const part of parts) yield JSON.parse(part)
  }
}

async function messageOf(answer) {
  const text = await answer.text()
  try {
    return JSON.parse(text).message
  } catch {
    return text.slice(0, 200)
  }
}

/** How far it got, in a file beside the file. Of a file that has changed since nothing is believed. */
function noteOf({ file, size, dryRun }) {
  const path = `${file}.import-state.json`
  const { mtimeMs } = statSync(file)
  return {
    read() {
      let known
      try {
        known = JSON.parse(readFileSync(path, 'utf8'))
      } catch {
        throw new UsageError(`There is nothing to resume: ${path} is not there. Leave --resume out`)
      }
      if (known.size !== size || known.mtimeMs !== mtimeMs) {
        throw new UsageError(
          `${file} has changed since it was interrupted. Leave --resume out: sending lines again does no harm`,
        )
      }
      answered = known.answered
      Object.assign(counts, known.counts)
    },
    write() {
      if (!dryRun) writeFileSync(path, JSON.stringify({ size, mtimeMs, answered, counts }))
    },
    remove: () => !dryRun && rmSync(path, { force: true }),
  }
}

function sayColumns(columns, fields) {
  const taken = columns.flatMap((column, at) => (fields[at] === null ? [] : [`${column} as ${fields[at]}`]))
  const left = columns.filter((_, at) => fields[at] === null)
  console.error(`Taking ${taken.join(', ')}.${left.length > 0 ? ` Leaving out ${left.join(', ')}.` : ''}`)
}

function drawBar(size) {
  if (!process.stderr.isTTY) return
  const share = size === 0 ? 1 : Math.min(1, bytesAnswered / size)
  const filled = Math.round(share * BAR_WIDTH)
  const bar = '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled)
  process.stderr.write(`\r${bar} ${Math.floor(share * 100)} %  ${answered} lines, ${counts.error} failed `)
}

function clearBar() {
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[2K')
}

function causeOf(error) {
  return error.cause?.code ?? error.cause?.message ?? error.message
}
