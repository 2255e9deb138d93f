/**
 * `npm run bench:peer`: compares Roster with the server that a team would write for one region, in `server/`. Both run on the same
 * core, in turn, each with all its processes; wrk sends from the other core. Writes the figures to docs/figures.md; with `--print` it
 * only prints them. `ROUNDS` and `SECONDS` set the rounds of each load and their length. Needs Linux with two cores, and Debian's
 * packages of PostgreSQL, Redis and wrk, which it downloads if they are missing.
 */
import { keepInMemory } from '../../test/node/support/memory.ts'
import { writeToPage } from '../page.ts'
import { importedIds, importFile, readAll } from './customers.ts'
import { measureFloor } from './floor.ts'
import { sendLoad } from './load.ts'
import { IMPORTED, type Known, LOADS, type LoadKind, READ_BEFORE } from './loads.ts'
import { type Pinned, startPinned } from './pinned.ts'
import { floorText, HEADINGS, type Measured, type Round, rowOf, verdictOf } from './report.ts'
import { compareAnswers } from './same-answers.ts'

const ROUNDS = Number(process.env.ROUNDS ?? 5)
const SECONDS = Number(process.env.SECONDS ?? 4)

keepInMemory()
const peer = await startPinned('peer')
const roster = await startPinned('roster')
try {
  console.log(`${await compareAnswers(peer, roster)} answers are the same`)
  const measured = await measure()
  for (const one of measured) console.log(rowOf(one).join(' | '))
  const facts = `${verdictOf(measured)} Medians of ${ROUNDS} rounds of ${SECONDS} s, and their range.\n\n${floorText(await measureFloor(roster, SECONDS))}`
  console.log(facts)
  if (!process.argv.includes('--print')) {
    writeToPage('peer', 'npm run bench:peer', [HEADINGS, ...measured.map(rowOf)], facts)
  }
} finally {
  await Promise.all([peer.stop(), roster.stop()])
}

async function measure(): Promise<Measured[]> {
  const servers = [peer, roster]
  const bases = await Promise.all(servers.map(async (server) => importedIds(server, 'base', READ_BEFORE)))
  const known: Known[] = bases.map((base) => ({ base, unread: [], round: 0 }))
  const imports: Measured = { name: 'an import, rows/s', rounds: [] }
  const measured = LOADS.map(({ name }): Measured => ({ name, rounds: [] }))
  for (let round = 0; round <= ROUNDS; round++) {
    const both: Round[] = []
    for (const [at, server] of servers.entries()) {
      const { ids, ...figures } = await timed(server, () => importFile(server, `round_${round}`, IMPORTED))
      known[at] = { base: bases[at] ?? [], unread: ids, round }
      both.push(figures)
    }
    // The first round warms both up and is not counted.
    if (round > 0) imports.rounds.push(both)
    for (const [kindAt, kind] of LOADS.entries()) {
      const figures: Round[] = []
      for (const [at, server] of servers.entries()) figures.push(await runLoad(kind, server, known[at] as Known))
      if (round > 0) measured[kindAt]?.rounds.push(figures)
      console.log(`round ${round}, ${kind.name}: ${figures.map(({ perSecond }) => Math.round(perSecond)).join(', ')}`)
    }
  }
  return [...measured, imports]
}

async function runLoad(kind: LoadKind, server: Pinned, known: Known): Promise<Round> {
  const plan = kind.plan(server, known, SECONDS)
  if (kind.isReadBefore) await readAll(server, plan.ids)
  const { refused, failed, ...figures } = await timed(server, () => sendLoad(server.origin, plan))
  const { requests } = figures
  if (failed > 0 || (kind.isRefused ? refused < 0.9 * requests : refused > 0)) {
    throw new Error(`${kind.name}: ${refused} of ${requests} requests were refused, ${failed} failed`)
  }
  return figures
}

/** Adds the CPU time of the server, with all its processes, for each request or row. */
async function timed<Result extends { requests: number }>(
  server: Pinned,
  work: () => Promise<Result>,
): Promise<Result & { cpuUs: number }> {
  const beforeUs = server.cpuUs()
  const result = await work()
  return { ...result, cpuUs: (server.cpuUs() - beforeUs) / result.requests }
}
