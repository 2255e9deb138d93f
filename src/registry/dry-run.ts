/**
 * Makes a dry run of any length say what the real import will do. A dry run tries each chunk and takes it back, so a later
 * chunk would not find what an earlier one has done. This remembers the lines that would have changed something, and chooses
 * those that the results of a chunk depend on: they are tried together with it. Pure.
 *
 * A line depends on earlier lines for the same customer, for the holders of its external ids and integrations, for the
 * customers above its parent, and, if it gives its customer another place, for those below it.
 */
import type { ImportContext, ImportLine, ImportOutcome } from './bulk.ts'

interface Remembered {
  line: ImportLine
  /** Nothing was below the customer before this line. */
  creates: boolean
}

export class DryRun {
  readonly #lines: Remembered[] = []
  /** Positions of the lines by what they change: a name of a customer, an entity of a provider, or what is below a customer. */
  readonly #at = new Map<string, number[]>()
  /** As stored before the import, by ids. */
  readonly #parents = new Map<string, string>()
  readonly #children = new Map<string, Set<string>>()
  /** Customers by the external ids and the entities that lines name. */
  readonly #holders = new Map<string, string>()

  /**
   * Returns the earlier lines that these depend on, in their order. `context` is what a try of the chunk has shown, null
   * before the first one.
   */
  linesFor(lines: readonly ImportLine[], context: ImportContext | null): ImportLine[] {
    if (context) this.#learn(lines, context)
    const wanted = new Set<number>()
    /** Each name with the position before which lines of it count. */
    const seen = new Map<string, number>()
    const open: string[] = []
    const want = (names: string[], limit: number) => {
      for (const name of names) {
        if ((seen.get(name) ?? 0) >= limit) continue
        seen.set(name, limit)
        open.push(name)
      }
    }
    for (const line of lines) want([...stateOf(line), ...checksOf(line)], this.#lines.length)
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      const limit = seen.get(name) ?? 0
      want(this.#near(name), limit)
      for (const at of this.#at.get(name) ?? []) {
        const remembered = this.#lines[at]
        if (at >= limit || !remembered) continue
        wanted.add(at)
        // The state counts as later lines have left it. Whether the line itself was allowed depends on those before it.
        want(stateOf(remembered.line), limit)
        // Later lines may have put customers below those that this line put there.
        if (name.startsWith(BELOW)) want(namesOf(remembered.line).map(below), limit)
        want(remembered.creates ? entitiesOf(remembered.line) : checksOf(remembered.line), at)
      }
    }
    return [...wanted].sort((one, other) => one - other).flatMap((at) => this.#lines[at]?.line ?? [])
  }

  /** Remembers the lines of a chunk that would change something. */
  add(lines: readonly ImportLine[], outcomes: readonly ImportOutcome[]): void {
    for (const [nth, line] of lines.entries()) {
      const outcome = outcomes[nth]
      if (!outcome || outcome.result === 'error' || outcome.result === 'unchanged') continue
      const at = this.#lines.push({ line, creates: outcome.result === 'created' }) - 1
      const { parent } = line.fields
      const under = parent ? parentNames(parent).flatMap((name) => [name, ...this.#idOf(name)]) : []
      const names = [...namesOf(line), ...entitiesOf(line), customer(outcome.id), ...under.map(below)]
      for (const name of names) {
        const positions = this.#at.get(name)
        if (positions) positions.push(at)
        else this.#at.set(name, [at])
      }
      if (!line.archivedIds) this.#holders.set(external(line.externalId), outcome.id)
    }
  }

  /** Returns the id of the customer with this external id as a name: those above it are known by id alone. */
  #idOf(name: string): string[] {
    const id = this.#holders.get(name)
    return id === undefined ? [] : [customer(id)]
  }

  #learn(lines: readonly ImportLine[], { customerIds, parentIds, tree, holders }: ImportContext): void {
    for (const [at, id] of customerIds.entries()) {
      const line = lines[at]
      if (id !== null && line && !line.archivedIds) this.#holders.set(external(line.externalId), id)
    }
    for (const [at, id] of parentIds.entries()) {
      const parent = lines[at]?.fields.parent
      if (id !== null && parent) for (const name of parentNames(parent)) this.#holders.set(name, id)
    }
    for (const [provider, entityId, id] of holders) this.#holders.set(entity(provider, entityId), id)
    for (const [id, parentId] of tree) {
      if (parentId === null) continue
      this.#parents.set(id, parentId)
      const siblings = this.#children.get(parentId)
      if (siblings) siblings.add(id)
      else this.#children.set(parentId, new Set([id]))
    }
  }

  /** Returns the further names of a customer, of the one above it, or of those below it. */
  #near(name: string): string[] {
    const isBelow = name.startsWith(BELOW)
    const of = isBelow ? name.slice(BELOW.length) : name
    const id = of.startsWith(CUSTOMER) ? of.slice(CUSTOMER.length) : this.#holders.get(of)
    if (id === undefined) return []
    if (isBelow) {
      const children = [...(this.#children.get(id) ?? [])].map(customer)
      return [below(customer(id)), ...children, ...children.map(below)]
    }
    const parentId = this.#parents.get(id)
    return [customer(id), ...(parentId === undefined ? [] : [customer(parentId)])]
  }
}

const CUSTOMER = 'id '
const BELOW = 'below '
const customer = (id: string) => CUSTOMER + id
const external = (externalId: string) => `name ${externalId}`
const entity = (provider: string, id: string) => `entity ${JSON.stringify([provider, id])}`
const below = (name: string) => BELOW + name

function namesOf({ externalId, formerIds = [], archivedIds = [] }: ImportLine): string[] {
  return [...[externalId, ...formerIds].map(external), ...archivedIds.map(customer)]
}

function entitiesOf({ fields: { integrations = [] } }: ImportLine): string[] {
  return integrations.map(({ provider, id }) => entity(provider, id))
}

/** Returns the customers whose state a line depends on: its own, and its parent. */
function stateOf(line: ImportLine): string[] {
  const { parent } = line.fields
  return [...namesOf(line), ...(parent ? parentNames(parent) : [])]
}

/** Returns what else decides whether a line is allowed: other holders of its entities, and what it moves along. */
function checksOf(line: ImportLine): string[] {
  return [...entitiesOf(line), ...(line.fields.parent ? namesOf(line).map(below) : [])]
}

function parentNames(parent: NonNullable<ImportLine['fields']['parent']>): string[] {
  const ids = 'ids' in parent ? parent.ids : 'id' in parent ? [parent.id] : []
  const name = 'externalId' in parent ? parent.externalId : null
  return [...ids.map(customer), ...(name === null ? [] : [external(name)])]
}
