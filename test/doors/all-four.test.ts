/**
 * What holds at all four doors, the operator's too, whose customers are the tenants: a small table, because a tenant has no
 * external id, is not archived and is never rate limited. What customers have beside is in doors.test.ts.
 */
import { describe, expect, it } from 'vitest'
import { admin, type Called } from '../support/roster.ts'
import { type Answered, type Door, doors, openAccount } from './drivers.ts'

type Told = { ok: true; id: string; shown: object } | { ok: false; reason: string; field: string | null }

/** A door with something to keep in it. */
interface Counter {
  create(fields: object): Promise<Told>
  get(id: string): Promise<Told>
  change(id: string, fields: object): Promise<Told>
  /** Ids, newest first. */
  list(): Promise<string[]>
}

interface Case {
  name: string
  open(): Promise<Counter>
  whole: Record<string, unknown>
  change: Record<string, unknown>
  /** A field that may be unset. */
  clearable: string
  wrong: [field: string, value: unknown]
  unknownId: string
}

let made = 0

function forCustomers(door: Door): Case {
  return {
    name: door.name,
    async open() {
      const account = await openAccount()
      const told = (answer: Answered): Told => answer
      return {
        create: async (fields) => told(await door.create(account, { externalId: `user_${made++}`, ...fields })),
        get: async (id) => told(await door.get(account, id)),
        change: async (id, fields) => told(await door.update(account, id, fields)),
        async list() {
          const page = await door.list(account, 10)
          return page.ok ? page.ids : []
        },
      }
    },
    whole: { email: 'billing@acme.com', addressCity: 'Berlin', addressCountry: 'DE' },
    change: { addressCity: 'Potsdam' },
    clearable: 'email',
    wrong: ['email', 'wrong'],
    unknownId: 'cust_01ARZ3NDEKTSV4RRFFQ69G5FAV',
  }
}

const operator: Case = {
  name: '/admin/customers',
  async open() {
    const told = ({ status, body }: Called): Told =>
      status < 300
        ? { ok: true, id: body.customer_id, shown: body }
        : {
            ok: false,
            reason: body.code === 'validation_error' ? 'invalid_input' : body.code,
            field: body.details?.errors?.[0]?.field ?? null,
          }
    return {
      create: async (fields) => told(await admin('POST', '', fields)),
      get: async (id) => told(await admin('GET', `/${id}`)),
      change: async (id, fields) => told(await admin('PUT', `/${id}`, fields)),
      async list() {
        const { body } = await admin('GET', `?search=${SEARCHED}`)
        return body.items.map((item: { customer_id: string }) => item.customer_id)
      },
    }
  },
  whole: { company_name: 'Acme all-four', contact_email: 'ops@acme.com', contract_end: '2099-12-31T00:00:00.000Z' },
  change: { contact_email: 'new@acme.com' },
  clearable: 'contract_end',
  wrong: ['contact_email', 'wrong'],
  unknownId: '00000000-0000-4000-8000-000000000000',
}
const SEARCHED = 'all-four'

function kept(told: Told) {
  if (!told.ok) throw new Error(`refused: ${JSON.stringify(told)}`)
  return told
}

describe.each([...doors.map(forCustomers), operator])('at $name', (door) => {
  it('what is made is read back as it was answered, and listed', async () => {
    const counter = await door.open()
    const first = kept(await counter.create(door.whole))
    expect(first.shown).toMatchObject(door.whole)
    expect(await counter.get(first.id)).toEqual(first)
    expect(await counter.list()).toContain(first.id)
  })

  it('a change keeps what it does not name, and null clears', async () => {
    const counter = await door.open()
    const { id } = kept(await counter.create(door.whole))
    expect(kept(await counter.change(id, door.change)).shown).toMatchObject({ ...door.whole, ...door.change })
    const shown = { ...door.whole, ...door.change, [door.clearable]: null }
    expect(kept(await counter.change(id, { [door.clearable]: null })).shown).toMatchObject(shown)
    expect(kept(await counter.get(id)).shown).toMatchObject(shown)
  })

  it('a wrong field is refused by its name, and nothing of the change is made', async () => {
    const counter = await door.open()
    const { id } = kept(await counter.create(door.whole))
    const [field, value] = door.wrong
    const refused = { ok: false, reason: 'invalid_input', field }
    expect(await counter.create({ ...door.whole, [field]: value })).toMatchObject(refused)
    expect(await counter.change(id, { ...door.change, [field]: value })).toMatchObject(refused)
    expect(kept(await counter.get(id)).shown).toMatchObject(door.whole)
  })

  it('what nobody has is not found', async () => {
    const counter = await door.open()
    expect(await counter.get(door.unknownId)).toMatchObject({ ok: false, reason: 'not_found' })
    expect(await counter.change(door.unknownId, door.change)).toMatchObject({ ok: false, reason: 'not_found' })
  })
})
