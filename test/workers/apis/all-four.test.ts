/**
 * Rules of all four APIs, the admin API too, whose customers are the tenants. The table is small, because a tenant has no
 * external id, is not archived and is never rate limited. The further rules of customers are in same-rules.test.ts.
 */
import { describe, expect, it } from 'vitest'
import { admin, type Called } from '../support/roster.ts'
import { type Api, type ApiResult, apis, openAccount } from './drivers.ts'

type Outcome = { ok: true; id: string; shown: object } | { ok: false; reason: string; field: string | null }

/** One API, opened for a caller that may create records. */
interface OpenedApi {
  create(fields: object): Promise<Outcome>
  get(id: string): Promise<Outcome>
  change(id: string, fields: object): Promise<Outcome>
  /** Ids, newest first. */
  list(): Promise<string[]>
}

interface Case {
  name: string
  open(): Promise<OpenedApi>
  whole: Record<string, unknown>
  change: Record<string, unknown>
  /** A field that may be unset. */
  clearable: string
  wrong: [field: string, value: unknown]
  unknownId: string
}

let made = 0

function forCustomers(api: Api): Case {
  return {
    name: api.name,
    async open() {
      const account = await openAccount()
      const toOutcome = (answer: ApiResult): Outcome => answer
      return {
        create: async (fields) => toOutcome(await api.create(account, { externalId: `user_${made++}`, ...fields })),
        get: async (id) => toOutcome(await api.get(account, id)),
        change: async (id, fields) => toOutcome(await api.update(account, id, fields)),
        async list() {
          const page = await api.list(account, 10)
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
    const toOutcome = ({ status, body }: Called): Outcome =>
      status < 300
        ? { ok: true, id: body.customer_id, shown: body }
        : {
            ok: false,
            reason: body.code === 'validation_error' ? 'invalid_input' : body.code,
            field: body.details?.errors?.[0]?.field ?? null,
          }
    return {
      create: async (fields) => toOutcome(await admin('POST', '', fields)),
      get: async (id) => toOutcome(await admin('GET', `/${id}`)),
      change: async (id, fields) => toOutcome(await admin('PUT', `/${id}`, fields)),
      async list() {
        const { body } = await admin('GET', `?search=${SEARCHED}`)
        return body.items.map((item: { customer_id: string }) => item.customer_id)
      },
    }
  },
  whole: {
    company_name: 'Acme all-four',
    contact_email: 'ops@all-four.example',
    contract_end: '2099-12-31T00:00:00.000Z',
  },
  change: { contact_email: 'new@acme.com' },
  clearable: 'contract_end',
  wrong: ['contact_email', 'wrong'],
  unknownId: '00000000-0000-4000-8000-000000000000',
}
const SEARCHED = 'all-four'

function accepted(outcome: Outcome) {
  if (!outcome.ok) throw new Error(`refused: ${JSON.stringify(outcome)}`)
  return outcome
}

describe.each([...apis.map(forCustomers), operator])('at $name', (api) => {
  it('reads back a created record as it was answered, and lists it', async () => {
    const opened = await api.open()
    const first = accepted(await opened.create(api.whole))
    expect(first.shown).toMatchObject(api.whole)
    expect(await opened.get(first.id)).toEqual(first)
    expect(await opened.list()).toContain(first.id)
  })

  it('keeps the fields that a change does not name, and clears with null', async () => {
    const opened = await api.open()
    const { id } = accepted(await opened.create(api.whole))
    expect(accepted(await opened.change(id, api.change)).shown).toMatchObject({ ...api.whole, ...api.change })
    const shown = { ...api.whole, ...api.change, [api.clearable]: null }
    expect(accepted(await opened.change(id, { [api.clearable]: null })).shown).toMatchObject(shown)
    expect(accepted(await opened.get(id)).shown).toMatchObject(shown)
  })

  it('refuses a wrong field by its name and makes no part of the change', async () => {
    const opened = await api.open()
    const { id } = accepted(await opened.create(api.whole))
    const [field, value] = api.wrong
    const refused = { ok: false, reason: 'invalid_input', field }
    expect(await opened.create({ ...api.whole, [field]: value })).toMatchObject(refused)
    expect(await opened.change(id, { ...api.change, [field]: value })).toMatchObject(refused)
    expect(accepted(await opened.get(id)).shown).toMatchObject(api.whole)
  })

  it('answers not_found for an unknown id', async () => {
    const opened = await api.open()
    expect(await opened.get(api.unknownId)).toMatchObject({ ok: false, reason: 'not_found' })
    expect(await opened.change(api.unknownId, api.change)).toMatchObject({ ok: false, reason: 'not_found' })
  })
})
