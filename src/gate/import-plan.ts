/**
 * In which order the lines of a chunk are done, so that doing many at once comes to the same as doing one after the other.
 * Pure. A statement does its lines in an order of its own, so lines that depend on each other are put into different
 * segments; a line whose customer is only made by an earlier one has to be looked up again, and so has all that follows.
 */
import type { ImportLine } from '../registry/bulk.ts'
import type { LineFacts, PlannedLine } from './import-protocol.ts'

export interface ImportPlan {
  segments: PlannedLine[][]
  /** Lines that name a parent which nobody is. They are not sent. */
  orphans: ImportLine[]
  /** To be planned again once the segments are committed. */
  rest: ImportLine[]
}

export function planImport(
  lines: readonly ImportLine[],
  facts: readonly LineFacts[],
  newChangeId: () => string,
): ImportPlan {
  const segments: PlannedLine[][] = []
  const orphans: ImportLine[] = []
  const made = new Set<string>()
  let segment = new SegmentKeys()
  for (const [at, line] of lines.entries()) {
    const known = facts[at]
    if (!known || (known.customerId === null && made.has(line.externalId))) {
      return { segments, orphans, rest: lines.slice(at) }
    }
    const parent = line.fields.parent
    const parentKey = parent && 'externalId' in parent ? parent.externalId : null
    if (parent && known.parentId === null && !(parentKey !== null && made.has(parentKey))) {
      orphans.push(line)
      continue
    }
    if (segments.length === 0 || known.releases || segment.dependsOn(known.customerId, parentKey)) {
      segment = new SegmentKeys()
      segments.push([])
    }
    segment.add(line, known.customerId)
    segments.at(-1)?.push({ ...line, customerId: known.customerId, changeId: newChangeId() })
    if (known.customerId === null) made.add(line.externalId)
  }
  return { segments, orphans, rest: [] }
}

class SegmentKeys {
  readonly #created = new Set<string>()
  readonly #updated = new Set<string>()

  add(line: ImportLine, customerId: string | null): void {
    if (customerId === null) this.#created.add(line.externalId)
    else this.#updated.add(customerId)
  }

  /** The customer twice, or a parent that is made beside its child. A child that comes before its parent is an orphan. */
  dependsOn(customerId: string | null, parentKey: string | null): boolean {
    return (
      (customerId !== null && this.#updated.has(customerId)) || (parentKey !== null && this.#created.has(parentKey))
    )
  }
}
