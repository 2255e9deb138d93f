/** The form over a customer: what it saves, and what it does when somebody was faster. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  changesBetween,
  conflictsOf,
  EDITED_FIELDS,
  patchOf,
  rebased,
  type Values,
  valuesOf,
} from '../../../console/src/lib/edit.ts'

const text = fc.constantFrom('', 'a', 'b', 'Köln', 'x y')
const key = fc.constantFrom('plan', 'tier', '__proto__', 'constructor', 'a.b')
const values: fc.Arbitrary<Values> = fc.record({
  fields: fc.record(Object.fromEntries(EDITED_FIELDS.map((field) => [field, text]))) as fc.Arbitrary<Values['fields']>,
  metadata: fc.array(fc.tuple(key, text), { maxLength: 4 }).map((entries) => Object.fromEntries(entries)),
})

/** Applies a merge patch as the API does: null clears, and a null key of the metadata removes it. */
function applied(base: Values, patch: Record<string, unknown>): Values {
  const { metadata = {}, ...fields } = patch
  const kept = new Map(Object.entries(base.metadata))
  for (const [name, value] of Object.entries(metadata as object)) {
    if (value === null) kept.delete(name)
    else kept.set(name, value)
  }
  const cleared = Object.fromEntries(Object.entries(fields).map(([field, value]) => [field, value ?? '']))
  return { fields: { ...base.fields, ...cleared }, metadata: Object.fromEntries(kept) }
}

describe('the patch of an edit', () => {
  it('makes the customer what the form shows, whatever was edited', () => {
    fc.assert(
      fc.property(values, values, (base, mine) => {
        const patch = JSON.parse(JSON.stringify(patchOf(changesBetween(base, mine))))
        expect(changesBetween(applied(base, patch), mine)).toEqual([])
      }),
    )
  })

  it('names only the fields that were changed', () => {
    fc.assert(
      fc.property(values, values, (base, mine) => {
        const patch = patchOf(changesBetween(base, mine))
        for (const field of EDITED_FIELDS) expect(field in patch).toBe(base.fields[field] !== mine.fields[field])
        expect('metadata' in patch).toBe(changesBetween({ ...base, fields: mine.fields }, mine).length > 0)
      }),
    )
  })

  it('clears a field that was emptied by null, as a merge patch says', () => {
    expect(patchOf([{ field: 'email', before: 'a@example.com', after: '' }])).toEqual({ email: null })
    expect(patchOf([{ field: 'metadata.plan', before: 'scale', after: null }])).toEqual({ metadata: { plan: null } })
  })

  it('is empty for a form that was not touched, also if the customer has unset fields', () => {
    const customer = {
      ...(Object.fromEntries(EDITED_FIELDS.map((field) => [field, null])) as Record<
        (typeof EDITED_FIELDS)[number],
        null
      >),
      metadata: { plan: 'scale' },
    }
    expect(patchOf(changesBetween(valuesOf(customer), valuesOf(customer)))).toEqual({})
  })
})

describe('an edit that somebody else was faster than', () => {
  it('keeps every change of theirs that I did not touch, and every change of mine', () => {
    fc.assert(
      fc.property(values, values, values, (base, theirs, mine) => {
        const next = rebased(base, theirs, mine, new Set())
        const touched = new Set(changesBetween(base, mine).map(({ field }) => field))
        expect(changesBetween(next, mine).filter(({ field }) => touched.has(field))).toEqual([])
        expect(changesBetween(next, theirs).filter(({ field }) => !touched.has(field))).toEqual([])
      }),
    )
  })

  it('takes theirs for the fields that are left to them', () => {
    fc.assert(
      fc.property(values, values, values, (base, theirs, mine) => {
        const conflicts = new Set(conflictsOf(base, theirs, mine).map(({ field }) => field))
        const next = rebased(base, theirs, mine, conflicts)
        expect(changesBetween(next, theirs).filter(({ field }) => conflicts.has(field))).toEqual([])
      }),
    )
  })

  it('finds no conflict where both changed the same field to the same value, or different fields', () => {
    fc.assert(
      fc.property(values, values, (base, mine) => {
        expect(conflictsOf(base, mine, mine)).toEqual([])
        expect(conflictsOf(base, base, mine)).toEqual([])
      }),
    )
  })
})
