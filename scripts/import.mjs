/**
 * `npm run import -- file.csv --key … --url …`: sends a file of customers and reports each line that failed. A file beside it
 * holds the progress, so that `--resume` continues after an interruption, and another one the lines that failed. Exit code:
 * 0 all lines were imported, 1 some lines failed, 2 it could not run to the end, 130 interrupted.
 */
import { createHash, randomUUID } from 'node:crypto'
import { appendFileSync, createReadStream, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { columnMap, FileFault } from '../src/formats/files/columns.ts'
import { BULK_BOUNDS } from '../src/registry/bulk.ts'
import { HOUR_MS } from '../src/shared/durations.ts'
import { plainText } from '../src/shared/shown-text.ts'
import { DEFAULT_URL, keyProblem, optionProblem, rosterUrl } from './command-line.ts'
import { linesToSend, problemText, rejectedHeader, rejectedLine, survey } from './import-file.ts'
import { Note, ownerOf } from './import-note.ts'
import { refusalOfImport, upload } from './import-upload.ts'

const USAGE = `npm run import -- <file.csv|file.ndjson> [options]

  --key <key>        an API key with the scope customers:write; else the variable ROSTER_KEY
  --url <url>        where Roster is served; else the variable ROSTER_URL, else ${DEFAULT_URL}
  --map <pairs>      "Company=name,Plan=metadata.plan,Notes=": which column is which field, none to leave it out
  --delimiter <c>    what separates the cells, if the header does not show it: , ; | tab
  --encoding <name>  such as windows-1252; else UTF-8, or UTF-16 if the file begins with its mark
  --dry-run          say what would become of each line, and change nothing
  --resume           go on after an interruption
  --help             print this

An empty cell leaves a field as it is. Lines that failed are written to <file>.rejects.csv (.ndjson): correct them there, and
import that file. docs/import-and-export.md has more.`

const NOTE_EVERY_MS = 500
const PROGRESS_EVERY_MS = 5_000
const BAR_WIDTH = 30
/** Below the bytes that a dry run remembers in one request. */
const DRY_RUN_PART_BYTES = 20_000_000

class UsageError extends Error {}

let counts = { created: 0, updated: 0, unchanged: 0, error: 0 }
/** The number of lines with a result, in the order in which they are sent, and how much of the file was read for them. */
let answered = 0
let bytesAnswered = 0
let notedAtMs = Date.now()
let shownAtMs = Date.now()
let parts = 0
/** The id of all requests of this import, and a time before the first: the clock here may be ahead of that of Roster. */
let undo = { importId: `imp_${randomUUID()}`, since: new Date(Date.now() - HOUR_MS).toISOString() }
/** Whether the file of rejected lines is one of this import. One of an earlier import is kept until a line fails. */
let rejectsBegun = false

try {
  process.exitCode = await main()
} catch (error) {
  clearBar()
  if (error instanceof UsageError) console.error(`${error.message}\n\n${USAGE}`)
  else if (error instanceof FileFault) console.error(`Nothing was imported. ${error.message}`)
  else console.error(`The import failed: ${error.message}`)
  process.exitCode = 2
}

function readOptions() {
  const string = { type: 'string' }
  const flag = { type: 'boolean', default: false }
  const options = {
    key: string,
    url: string,
    map: { type: 'string', multiple: true, default: [] },
    delimiter: string,
    encoding: string,
    'dry-run': flag,
    resume: flag,
    help: flag,
  }
  let parsed
  try {
    parsed = parseArgs({ allowPositionals: true, options })
  } catch (error) {
    throw new UsageError(optionProblem(error, options))
  }
  const { values, positionals } = parsed
  if (values.help) return null
  if (positionals.length !== 1) throw new UsageError(positionals.length === 0 ? 'Name a file.' : 'Name one file.')
  const key = values.key ?? process.env.ROSTER_KEY
  if (!key) throw new UsageError('There is no key: send --key, or set ROSTER_KEY.')
  const roster = rosterUrl(values.url, process.env)
  const problem = keyProblem(key, values.key === undefined ? 'ROSTER_KEY' : '--key') ?? roster.problem
  if (problem) throw new UsageError(problem)
  const [file] = positionals
  const size = statSync(file, { throwIfNoEntry: false })?.size
  if (size === undefined) throw new UsageError(`There is no file ${file}.`)
  const map = mapOf(values.map.join(','))
  const format = /\.(ndjson|jsonl|json)$/i.test(file) ? 'ndjson' : 'csv'
  for (const name of ['delimiter', 'map']) {
    if (format === 'ndjson' && values[name]?.length > 0) throw new UsageError(`--${name} is only for CSV.`)
  }
  return {
    file,
    size,
    key,
    url: urlOf(roster.url, values['dry-run']),
    dryRun: values['dry-run'],
    resume: values.resume,
    reading: {
      format,
      encoding: values.encoding ?? null,
      delimiter: values.delimiter ?? null,
      map,
      lineBytesMax: BULK_BOUNDS.lineBytesMax,
    },
  }
}

function mapOf(text) {
  try {
    return columnMap(text)
  } catch (error) {
    throw new UsageError(`--${error.message}`)
  }
}

function urlOf(text, dryRun) {
  const url = new URL('/v1/customers/import', text)
  if (dryRun) url.searchParams.set('dry_run', 'true')
  return url
}

async function main() {
  const options = readOptions()
  if (options === null) {
    console.log(USAGE)
    return 0
  }
  const { file, reading, size, dryRun } = options
  const hash = createHash('sha256')
  const found = await survey(createReadStream(file), reading, (piece, bytes) => {
    hash.update(piece)
    showProgress(() => `Reading ${megabytes(bytes)} of ${megabytes(size)} MB`)
  })
  const run = { ...options, found, note: noteOf(options, found, hash.digest('hex')), rejects: rejectsOf(file) }
  if (options.resume) {
    ;({ answered, counts, undo = undo } = run.note.read())
    rejectsBegun = counts.error > 0 && statSync(run.rejects, { throwIfNoEntry: false }) !== undefined
  }
  if (found.reader.columns) sayColumns(found.reader.columns)
  if (found.isParentLater) console.error('Some lines name a parent of a later line: they are sent behind it.')
  const headers = { authorization: `Bearer ${options.key}`, 'x-request-id': undo.importId }
  const refusal = await refusalOfImport({ url: options.url, headers })
  if (refusal) {
    console.error(refusal.message)
    return 2
  }
  endOnSignals(run)
  const lines = unanswered(run)
  const end = await upload({
    url: options.url,
    headers,
    lines,
    onResult: (result, line) => took(result, line, run),
    onPart: () => endedPart(run),
    // A dry run remembers the lines of a request.
    ...(dryRun && { partBytesMax: DRY_RUN_PART_BYTES }),
  })
  for (const faulty of end.kind === 'done' ? (run.last ?? []) : []) failed(faulty, null, faulty.problems, run)
  clearBar()
  if (end.kind !== 'done') {
    writeNote(run)
    const then = end.kind === 'stopped' ? 'Fix that, then continue' : 'Continue'
    console.error(
      `${plainText(end.message)}\nStopped after ${answered} lines. ${dryRun ? 'Run it again.' : `${then} with --resume.`}`,
    )
    return 2
  }
  if (!dryRun) run.note.remove()
  const { created, updated, unchanged, error } = counts
  const would = dryRun ? 'Dry run, nothing was changed: ' : ''
  console.log(`${would}${created} created, ${updated} updated, ${unchanged} unchanged, ${error} failed.`)
  if (!dryRun && created + updated > 0) console.log(undoLine(options.url.origin))
  if (error === 0) return 0
  console.log(`The lines that failed are in ${run.rejects}: correct them there, and import that file.`)
  return 1
}

/** Returns the command that undoes the import, without the key. */
function undoLine(origin) {
  const body = JSON.stringify({ import_id: undo.importId, since: undo.since })
  const headers = `-H "authorization: Bearer $KEY" -H 'content-type: application/json'`
  return `This undoes it: curl -X POST ${origin}/v1/undo ${headers} -d '${body}'`
}

function noteOf({ file, size, key, url, reading }, { reader }, sha256) {
  const mapping = [...reading.map].map(([column, field]) => `${column}=${field}`).join(',')
  return new Note(`${file}.import-state.json`, {
    target: url.origin,
    ...ownerOf(key),
    'content of the file': `${size} bytes with SHA-256 ${sha256}`,
    format: reading.format,
    encoding: reading.encoding ?? 'as found',
    delimiter: reader.delimiter,
    mapping,
  })
}

function writeNote({ dryRun, note }) {
  if (!dryRun) note.write({ answered, counts, undo })
}

function rejectsOf(file) {
  const { dir, name, ext } = path.parse(file)
  return path.join(dir, `${name}.rejects${ext}`)
}

function endOnSignals(run) {
  for (const signal of ['SIGINT', 'SIGTERM']) {
    process.on(signal, () => {
      writeNote(run)
      clearBar()
      console.error(`Interrupted after ${answered} lines. ${run.dryRun ? '' : 'Continue with --resume.'}`)
      process.exit(130)
    })
  }
}

/** Yields the lines without a result. At the end it reports the faulty lines behind the last one. */
async function* unanswered(run) {
  const { file, reading, found } = run
  const lines = linesToSend(createReadStream(file), reading, found)
  let at = 0
  for (let next = await lines.next(); ; next = await lines.next()) {
    if (next.done) {
      // The results of the lines before come first.
      run.last = next.value
      return
    }
    if (++at > answered) yield next.value
  }
}

function took(result, line, run) {
  for (const faulty of line.faulty) failed(faulty, null, faulty.problems, run)
  answered++
  bytesAnswered = line.read
  if (result.result === 'error') failed(line, result.external_id, result.errors, run)
  else counts[result.result]++
  if (Date.now() - notedAtMs >= NOTE_EVERY_MS) {
    notedAtMs = Date.now()
    writeNote(run)
  }
  showProgress(() => shareOf(run.size))
}

/** Reports a line that was not imported, and writes it to the file of rejected lines. */
function failed(line, externalId, errors, { found: { reader }, rejects }) {
  clearBar()
  counts.error++
  const who = externalId === null ? '' : ` (${externalId})`
  const why = errors.map((error) => problemText(error, line, reader)).join('; ')
  console.error(plainText(`line ${line.line}${who}: ${why}`))
  if (!rejectsBegun) writeFileSync(rejects, rejectedHeader(reader))
  rejectsBegun = true
  if (line.raw === null) console.error(`line ${line.line} is too long for ${rejects}.`)
  else appendFileSync(rejects, rejectedLine(line, why, reader))
}

/** Reports a finished part: a request has a bound, so a large file is sent in several. */
function endedPart(run) {
  writeNote(run)
  clearBar()
  parts++
  console.error(`Part ${parts} is done: ${shareOf(run.size)}.`)
  if (run.dryRun && parts === 1)
    console.error('A dry run does not know in a part what the parts before would have done.')
}

function sayColumns(columns) {
  const taken = columns.flatMap(({ name, field }) => (field === null ? [] : [`${name} as ${field}`]))
  const left = columns.filter(({ field }) => field === null).map(({ name }) => name)
  console.error(`Taking ${taken.join(', ')}.${left.length > 0 ? ` Leaving out ${left.join(', ')}.` : ''}`)
}

function shareOf(size) {
  return `${answered} lines, ${megabytes(bytesAnswered)} of ${megabytes(size)} MB of the file, ${counts.error} failed`
}

/** Draws a bar on a terminal, and writes a line now and then elsewhere. */
function showProgress(text) {
  if (process.stderr.isTTY) return drawBar(text())
  if (Date.now() - shownAtMs < PROGRESS_EVERY_MS) return
  shownAtMs = Date.now()
  console.error(`${text()} …`)
}

function drawBar(text) {
  if (Date.now() - shownAtMs < NOTE_EVERY_MS) return
  shownAtMs = Date.now()
  const [, done, of] = /([\d.]+) of ([\d.]+) MB/.exec(text) ?? []
  const share = Number(of) > 0 ? Math.min(1, Number(done) / Number(of)) : 1
  const filled = Math.round(share * BAR_WIDTH)
  const bar = '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled)
  process.stderr.write(`\r${bar} ${Math.floor(share * 100)} %  ${text} `)
}

function clearBar() {
  if (process.stderr.isTTY) process.stderr.write('\r\u001b[2K')
}

function megabytes(bytes) {
  return (bytes / 1_000_000).toFixed(1)
}
