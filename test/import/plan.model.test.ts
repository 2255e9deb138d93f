/** In which order the lines of a chunk are done: what the statements rely on, for any lines and whatever D1 has for them. */
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { planImport } from '../../src/gate/import-plan.ts'
import type { LineFacts } from '../../src/gate/import-protocol.ts'
import type { ImportLine } from '../../src/registry/bulk.ts'

const KEYS = ['a', 'b', 'c', 'd']
const pair = fc.record({
  key: fc.constantFrom(...KEYS),
  parent: fc.option(fc.constantFrom(...KEYS), { nil: null }),
  releases: fc.boolean(),
})
/** Which keys find a customer before the chunk: `d` may be a former one of the customer of `a`. */
const known = fc.record({ a: fc.boolean(), b: fc.boolean(), c: fc.boolean(), dIsA: fc.boolean() })

it('keeps lines that depend on each other apart, in their order, and loses none', () => {
  fc.assert(
    fc.property(fc.array(pair, { maxLength: 12 }), known, (pairs, there) => {
      const idOf = (key: string) => {
        if (key === 'd') return there.dIsA && there.a ? 'cust_a' : null
        return there[key as 'a' | 'b' | 'c'] ? `cust_${key}` : null
      }
      const lines = pairs.map(({ key, parent }, at): ImportLine => {
        return { id: `new_${at}`, externalId: key, fields: parent === null ? {} : { parent: { externalId: parent } } }
      })
      const facts = pairs.map(({ key, parent, releases }): LineFacts => {
        const customerId = idOf(key)
        // A former external id names no parent.
        const parentId = parent === null || parent === 'd' ? null : idOf(parent)
        return { customerId, parentId, releases: releases && customerId !== null }
      })
      const { segments, orphans, rest } = planImport(lines, facts, () => 'evt')
      const planned = segments.flat()
      const inOrder = [...planned, ...orphans, ...rest].map(({ id }) => Number(id.slice(4))).sort((a, b) => a - b)
      expect(inOrder).toEqual(lines.map((_, at) => at))
      const places = planned.map(({ id }) => Number(id.slice(4)))
      expect(places).toEqual(places.toSorted((a, b) => a - b))

      const made = new Set<string>()
      for (const segment of segments) {
        const customers = segment.map(({ customerId, externalId }) => customerId ?? externalId)
        expect(new Set(customers).size).toBe(customers.length)
        const creates = segment.filter(({ customerId }) => customerId === null).map(({ externalId }) => externalId)
        for (const { id, fields } of segment) {
          const parent = fields.parent && 'externalId' in fields.parent ? fields.parent.externalId : null
          if (parent !== null) expect(creates).not.toContain(parent)
          const hasParent = parent === null || facts[Number(id.slice(4))]?.parentId || made.has(parent)
          expect(hasParent).toBeTruthy()
        }
        for (const { id } of segment.slice(1)) expect(facts[Number(id.slice(4))]?.releases).toBe(false)
        for (const key of creates) made.add(key)
      }
    }),
    { numRuns: 2_000 },
  )
})
