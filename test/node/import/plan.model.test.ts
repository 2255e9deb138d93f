/**
 * Tests that a chunk in few statements has the same result as its lines one by one: for any lines and any registry, in any order
 * in which D1 executes the lines of an update. The registry of this test is the simplest possible.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { planImport } from '../../../src/gate/object/import-plan.ts'
import {
  ImportPace,
  pricedLines,
  TRANSACTION_BOUNDS,
  transactionLines,
  transactionsOf,
} from '../../../src/gate/object/import-transactions.ts'
import type { ImportFacts, PlannedLine } from '../../../src/gate/protocol/imports.ts'
import type { ImportContext, ImportedParent, ImportLine } from '../../../src/registry/bulk.ts'
import { LIMITS, type ParentReference } from '../../../src/registry/customer.ts'
import { DryRun } from '../../../src/registry/dry-run.ts'

interface Node {
  parentId: string | null
  integrations: string[]
}

/** Customers by id. The id of one that was there before is its external id with an underscore before it. */
class NaiveRegistry {
  readonly nodes = new Map<string, Node>()
  readonly ids = new Map<string, string>()

  clone(): NaiveRegistry {
    const copy = new NaiveRegistry()
    for (const [id, node] of this.nodes) copy.nodes.set(id, { ...node })
    for (const [externalId, id] of this.ids) copy.ids.set(externalId, id)
    return copy
  }

  above(id: string | null): string[] {
    const parentId = id === null ? null : (this.nodes.get(id)?.parentId ?? null)
    return id === null ? [] : [id, ...this.above(parentId)]
  }

  height(id: string, isCounted = (_child: string) => true): number {
    const children = [...this.nodes].filter(([child, { parentId }]) => parentId === id && isCounted(child))
    return Math.max(0, ...children.map(([child]) => 1 + this.height(child, isCounted)))
  }

  resolve(parent: ImportedParent): string {
    const id = 'id' in parent ? parent.id : (this.ids.get(parent.externalId ?? '') ?? '')
    return this.nodes.has(id) ? id : ''
  }

  /** Executes a line, or returns the rule that refuses it. `parentId` is the one at the beginning of the statement. */
  put(id: string, line: ImportLine, parentId: string | null | undefined): string | null {
    const node = this.nodes.get(id) ?? { parentId: null, integrations: [] }
    if (parentId !== undefined && parentId !== null && parentId !== node.parentId) {
      if (parentId === '') return 'parent_not_found'
      const above = this.above(parentId)
      if (above.includes(id)) return 'parent_cycle'
      if (above.length + 1 + this.height(id) > LIMITS.parentLevelsMax) return 'parent_too_deep'
    }
    const taken = line.fields.integrations?.map((integration) => integration.id)
    if (!this.nodes.has(id) && line.onboarding === 'unknown') return 'unknown_workflow'
    for (const [other, { integrations }] of this.nodes) {
      if (other !== id && taken?.some((key) => integrations.includes(key))) return 'integration_taken'
    }
    const moved = parentId === undefined ? node.parentId : parentId
    this.nodes.set(id, { parentId: moved, integrations: taken ?? node.integrations })
    if (![...this.ids.values()].includes(id)) this.ids.set(line.externalId, id)
    return null
  }

  /** Returns the state by external ids, which are the same in both registries. */
  get shown(): unknown {
    const names = new Map([...this.ids].map(([externalId, id]) => [id, externalId]))
    return [...this.nodes]
      .map(([id, { parentId, integrations }]) => [names.get(id), names.get(parentId ?? ''), integrations.toSorted()])
      .sort((a, b) => String(a[0]).localeCompare(String(b[0])))
  }
}

const CHAIN = ['t1', 't2', 't3', 't4', 't5', 't6', 't7', 't8']
const keys = fc.constantFrom('a', 'b', 'c', 'd', 'e', 't4', 't8')
/** Makes mostly loose customers and the deepest chain, where a move too early or too late is one level too many. */
const anyone = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'nobody', 't1', 't6', 't7', 't8')
const integrations = fc.uniqueArray(fc.constantFrom('1', '2', '3'), { maxLength: 2 })
const parent = fc.option(
  fc.oneof(
    anyone.map((externalId): ParentReference => ({ externalId })),
    anyone.map((externalId): ParentReference => ({ id: `_${externalId}` })),
  ),
  { nil: null, freq: 4 },
)
const lineOf = fc.record({
  externalId: keys,
  fields: fc.record(
    { parent, integrations: integrations.map((ids) => ids.map((id) => ({ provider: 'stripe', id }))) },
    { requiredKeys: [] },
  ),
  onboarding: fc.constantFrom('', 'known', 'unknown', null),
})
const chunk = fc
  .array(lineOf, { maxLength: 20 })
  .map((lines): ImportLine[] => lines.map((line, at) => ({ ...line, id: `new_${String(at).padStart(2, '0')}` })))
/** The most lines and statements of a transaction. */
const linesOfOne = fc.integer({ min: 1, max: 12 })
/** Chooses some of the loose customers and a parent for each. */
const loose = fc.constantFrom('a', 'b', 'c', 'nobody', 't7')
const before = fc.record({ c: fc.constant('nobody'), a: loose, b: loose, d: loose }, { requiredKeys: ['c'] })

function registryOf(parents: Partial<Record<string, string>>): NaiveRegistry {
  const registry = new NaiveRegistry()
  const add = (externalId: string, parentName: string | undefined, own: string[]) => {
    const fields = { integrations: own.map((id) => ({ provider: 'stripe', id })) }
    const parentId = registry.ids.get(parentName ?? '') ?? null
    registry.put(`_${externalId}`, { id: '', externalId, fields }, parentId)
  }
  for (const [at, externalId] of CHAIN.entries()) add(externalId, CHAIN[at - 1], [])
  for (const [externalId, below] of Object.entries(parents)) add(externalId, below, externalId === 'c' ? ['1'] : [])
  return registry
}

/** Returns the facts that src/storage/customers/import-facts.ts reads. */
function factsOf(registry: NaiveRegistry, lines: readonly ImportLine[]): ImportFacts {
  const found = lines.map(({ externalId, fields: { parent: named, integrations } }) => {
    const customerId = registry.ids.get(externalId) ?? null
    const parentId = named ? registry.resolve(named) : null
    const node = registry.nodes.get(customerId ?? '')
    const currentParentId = node?.parentId || null
    const isSame =
      (named === undefined || parentId === currentParentId) &&
      (!integrations || integrations.map(({ id }) => id).join() === node?.integrations.join())
    return { customerId, parentId, currentParentId, named, isSame: isSame && customerId !== null }
  })
  const placed = found.filter(
    ({ named, parentId, currentParentId }) => named !== undefined && parentId !== currentParentId,
  )
  const up = new Set(
    placed.flatMap(({ customerId, parentId }) => [...registry.above(customerId), ...registry.above(parentId || null)]),
  )
  const below = (id: string) => registry.height(id, (child) => !up.has(child))
  return {
    lines: found.map(({ named: _named, parentId, ...line }) => ({ ...line, parentId: parentId || null, bytes: 0 })),
    tree: [...up].map((id) => ({
      id,
      parentId: registry.nodes.get(id)?.parentId ?? null,
      levelsBelow: below(id),
      customersBelow: 0,
    })),
    holders: [...registry.nodes].flatMap(([customerId, node]) =>
      node.integrations.map((entityId) => ({ provider: 'stripe', entityId, customerId })),
    ),
    named: [],
    workflows: ['known'],
    durationMs: 0,
  }
}

function contextOf(facts: ImportFacts, earlier: number): ImportContext {
  return {
    customerIds: facts.lines.slice(earlier).map(({ customerId }) => customerId),
    parentIds: facts.lines.slice(earlier).map(({ parentId }) => parentId),
    tree: facts.tree.map(({ id, parentId }) => [id, parentId]),
    holders: facts.holders.map(({ provider, entityId, customerId }) => [provider, entityId, customerId]),
  }
}

/** Executes a statement as D1 does: it finds parents before the first line, and updates in an order of its own. */
function doSegment(registry: NaiveRegistry, segment: readonly PlannedLine[], shuffle: readonly number[]): void {
  const creates = segment[0]?.customerId === null
  expect(segment.every(({ customerId }) => (customerId === null) === creates)).toBe(true)
  const ready = segment.map((line, at) => {
    const named = line.fields.parent
    return { line, parentId: named ? registry.resolve(named) : named, rank: shuffle[at % shuffle.length] ?? 0 }
  })
  if (!creates) ready.sort((one, other) => one.rank - other.rank)
  for (const { line, parentId } of ready) {
    const named = line.fields.parent
    // A new customer of the same statement is found by its id alone.
    const found = creates && parentId === '' && named ? registry.resolve('id' in named ? named : { id: '' }) : parentId
    expect(registry.put(line.customerId ?? line.id, line, found)).toBeNull()
  }
}

/** The first chunk puts a new customer below another, which it names by external id; the second moves the one above both. */
const DEEP_BY_ANOTHER_NAME: [ImportLine[], { c: 'nobody'; b: 'a'; d: 'b' }, number[]] = [
  [
    { id: 'new_00', externalId: 'c', fields: { parent: { id: '_t7' } } },
    { id: 'new_01', externalId: 'a', fields: { parent: { externalId: 'd' } } },
    { id: 'new_02', externalId: 'b', fields: { parent: { externalId: 'c' } } },
  ],
  { c: 'nobody', b: 'a', d: 'b' },
  [2],
]

describe('planImport', () => {
  it('refuses and executes the same as the lines one by one', () => {
    fc.assert(
      fc.property(
        chunk,
        before,
        fc.array(fc.nat(), { minLength: 20, maxLength: 20 }),
        linesOfOne,
        (lines, below, shuffle, linesMax) => {
          const start = registryOf(below)
          const single = start.clone()
          const refused: Record<string, string> = {}
          for (const line of lines) {
            const named = line.fields.parent
            const id = single.ids.get(line.externalId) ?? line.id
            const rule = single.put(id, line, named ? single.resolve(named) : named)
            if (rule) refused[line.id] = rule
          }
          const plan = planImport(lines, factsOf(start, lines), () => 'evt')
          expect(Object.fromEntries(plan.refused.map(({ line, failure }) => [line.id, failure.reason]))).toEqual(
            refused,
          )
          const { segments, refused: refusals, unchanged } = plan
          expect(segments.flat().length + refusals.length + unchanged.length).toBe(lines.length)
          for (const { line, customerId } of unchanged) expect(start.ids.get(line.externalId)).toBe(customerId)
          const together = start.clone()
          const transactions = [...transactionsOf(plan.segments, ([first]) => (first?.customerId ? linesMax : 3))]
          for (const segment of transactions.flat()) doSegment(together, segment, shuffle)
          expect(transactions.flat(2)).toEqual(plan.segments.flat())
          for (const transaction of transactions) {
            expect(transaction.flat().length).toBeLessThanOrEqual(Math.max(linesMax, 3))
          }
          expect(together.shown).toEqual(single.shown)
        },
      ),
      { numRuns: 5_000 },
    )
  })

  it('finds in a dry run of any chunks what the lines one by one would do, with only the earlier lines that matter', () => {
    fc.assert(
      fc.property(chunk, before, fc.array(fc.nat(20), { maxLength: 6 }), (lines, below, cuts) => {
        const start = registryOf(below)
        const single = start.clone()
        const refused = lines.filter((line) => {
          const named = line.fields.parent
          const id = single.ids.get(line.externalId) ?? line.id
          return single.put(id, line, named ? single.resolve(named) : named) !== null
        })
        const dryRun = new DryRun()
        const found: ImportLine[] = []
        const bounds = [0, ...cuts.sort((a, b) => a - b), lines.length]
        for (const [at, from] of bounds.slice(0, -1).entries()) {
          const part = lines.slice(from, bounds[at + 1])
          let earlier = dryRun.linesFor(part, null)
          for (;;) {
            const all = [...earlier, ...part]
            const facts = factsOf(start, all)
            const plan = planImport(all, facts, () => 'evt')
            const further = dryRun.linesFor(part, contextOf(facts, earlier.length))
            if (further.length > earlier.length) {
              earlier = further
              continue
            }
            const bad = new Set(plan.refused.map(({ line }) => line))
            found.push(...part.filter((line) => bad.has(line)))
            const ids = new Map(plan.segments.flat().map((line) => [line.id, line.customerId ?? line.id]))
            for (const { line, customerId } of plan.unchanged) ids.set(line.id, customerId)
            dryRun.add(
              part,
              part.map((line) => {
                const id = ids.get(line.id)
                if (id === undefined) return { result: 'error', failure: { reason: 'internal' } }
                return { result: id === line.id ? 'created' : 'updated', id }
              }),
            )
            break
          }
        }
        expect(found).toEqual(refused)
      }),
      { numRuns: 3_000, examples: [DEEP_BY_ANOTHER_NAME] },
    )
  })

  const many = (count: number, fieldsOf: (at: number) => ImportLine['fields']): ImportLine[] =>
    Array.from({ length: count }, (_, at) => ({ id: `new_${at}`, externalId: `c_${at}`, fields: fieldsOf(at) }))

  function there(count: number, nodeOf: (at: number) => Node): NaiveRegistry {
    const registry = new NaiveRegistry()
    for (const externalId of ['from', 'to']) registry.put(`_${externalId}`, { id: '', externalId, fields: {} }, null)
    for (let at = 0; at < count; at++) {
      registry.nodes.set(`_c_${at}`, nodeOf(at))
      registry.ids.set(`c_${at}`, `_c_${at}`)
    }
    return registry
  }

  it.each([
    [
      'children that all go from one parent to another',
      there(100, () => ({ parentId: '_from', integrations: [] })),
      many(100, () => ({ parent: { externalId: 'to' } })),
    ],
    [
      'integrations that are replaced by others',
      there(100, (at) => ({ parentId: null, integrations: [`old_${at}`] })),
      many(100, (at) => ({ integrations: [{ provider: 'stripe', id: `new_${at}` }] })),
    ],
    [
      'new customers, each the parent of a later one',
      there(0, () => ({ parentId: null, integrations: [] })),
      many(100, (at) => (at % 9 === 0 ? {} : { parent: { externalId: `c_${at - 1}` } })),
    ],
  ])('needs one statement: %s', (_what, registry, lines) => {
    const plan = planImport(lines, factsOf(registry, lines), () => 'evt')
    expect([plan.segments.length, plan.refused.length]).toEqual([1, 0])
  })

  it('needs two statements for customers that the chunk names twice', () => {
    const lines = many(100, () => ({})).map((line, at) => ({ ...line, externalId: `c_${at >> 1}` }))
    const plan = planImport(
      lines,
      factsOf(
        there(0, () => ({ parentId: null, integrations: [] })),
        lines,
      ),
      () => 'evt',
    )
    expect(plan.segments.map((segment) => segment.length)).toEqual([50, 50])
  })

  it('parts a chunk into few transactions, unless its lines are for one customer', () => {
    const lines = many(500, () => ({}))
    const registry = there(0, () => ({ parentId: null, integrations: [] }))
    const apart = [...transactionsOf(planImport(lines, factsOf(registry, lines), () => 'evt').segments)]
    expect(apart.map((statements) => statements.length)).toEqual(
      Array(Math.ceil(500 / TRANSACTION_BOUNDS.lines)).fill(1),
    )
    const same = lines.map((line) => ({ ...line, externalId: 'c_0' }))
    const together = [...transactionsOf(planImport(same, factsOf(registry, same), () => 'evt').segments)]
    expect(together).toHaveLength(500 / TRANSACTION_BOUNDS.statements)
  })

  it('asks a price for fewer lines where each writes many rows, for endpoints that want its event, or changes words', () => {
    const linesAfter = (lines: number, rows: number, wordsChanged = 0) =>
      pricedLines(lines, { rowsWritten: lines * rows, wordsChanged, durationMs: 0 })
    expect([linesAfter(50, 13), linesAfter(50, 0)]).toEqual([50, 50])
    expect([linesAfter(50, 13 + 5 * 5), linesAfter(18, 13 + 20 * 5), linesAfter(1, 10_000)]).toEqual([18, 6, 5])
    expect([linesAfter(50, 8, 50), linesAfter(50, 8, 5)]).toEqual([6, 38])
  })

  it('comes to transactions of about 10 ms, whatever a line takes', () => {
    const perLine = fc.double({ min: 0.02, max: 20, noNaN: true })
    fc.assert(
      fc.property(perLine, fc.boolean(), (msPerLine, creates) => {
        const pace = new ImportPace()
        const line = { customerId: creates ? null : 'cust' } as PlannedLine
        let count = 0
        for (let round = 0; round < 8; round++) {
          count = pace.next([line])
          pace.note([Array(count).fill(line)], { rowsWritten: 0, wordsChanged: 0, durationMs: count * msPerLine })
        }
        expect(Math.abs(count - Math.min(TRANSACTION_BOUNDS.lines, Math.max(5, 10 / msPerLine)))).toBeLessThanOrEqual(1)
      }),
    )
  })

  it('is not misled by one transaction that was slow or fast by chance', () => {
    const work = (durationMs: number) => ({ rowsWritten: 0, wordsChanged: 0, durationMs })
    expect([transactionLines(100, 100, work(1_000)), transactionLines(20, 20, work(0))]).toEqual([50, 40])
    // The last lines of a chunk say little.
    expect(transactionLines(100, 1, work(1))).toBe(50)
  })

  it('begins with few updates, and parts a statement into transactions of one length', () => {
    const lines = many(200, (at) => ({ integrations: [{ provider: 'stripe', id: `new_${at}` }] }))
    const registry = there(200, () => ({ parentId: null, integrations: [] }))
    const { segments } = planImport(lines, factsOf(registry, lines), () => 'evt')
    const sizes = (msPerLine: number, pace: ImportPace) => {
      const each: number[] = []
      for (const transaction of transactionsOf(segments, pace.next)) {
        const count = transaction.flat().length
        each.push(count)
        pace.note(transaction, { rowsWritten: 0, wordsChanged: 0, durationMs: count * msPerLine })
      }
      return each
    }
    const pace = new ImportPace()
    expect([...transactionsOf(segments, pace.priced)].map((each) => each.flat().length)).toEqual([50, 50, 50, 50])
    expect(sizes(0.1, pace)).toEqual([10, 19, 35, 68, 68])
    expect(sizes(0.1, pace)).toEqual([67, 67, 66])
  })
})
