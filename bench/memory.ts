/**
 * Measures how many bytes of an isolate one remembered customer takes, and that the bound holds: a million distinct
 * customers through the cache of src/gate/isolate/memory.ts, in Node, whose V8 is that of workerd. Needs
 * `node --expose-gc`.
 */
import { customersInMemory, snapshotOf } from '../src/gate/isolate/memory.ts'
import type { Customer } from '../src/registry/customer.ts'
import { optionalTexts } from '../src/registry/customer-fields.ts'

const DISTINCT_READS = 1_000_000
/** Enough to fill the cache and have it evict customers. */
const FILLING_READS = 100_000

export interface MemoryFigures {
  bytesPerCustomer: number
  customersHeld: number
  /** Heap in bytes after the first filling and after the millionth read. */
  filledMb: number
  afterMillionMb: number
}

export function measureMemory(): MemoryFigures {
  const emptyBytes = heapBytes()
  for (let read = 1; read <= FILLING_READS; read++) remember(read)
  const filledBytes = heapBytes()
  for (let read = FILLING_READS + 1; read <= DISTINCT_READS; read++) remember(read)
  const afterBytes = heapBytes()
  const held = customersInMemory.size
  return {
    bytesPerCustomer: Math.round((afterBytes - emptyBytes) / held),
    customersHeld: held,
    filledMb: mb(filledBytes - emptyBytes),
    afterMillionMb: mb(afterBytes - emptyBytes),
  }
}

/** Fills the cache as a request does: the values, and the body of the response. */
function remember(number: number): void {
  const id = `cust_${String(number).padStart(26, '0')}`
  const customer: Customer = {
    tenantId: '550e8400-e29b-41d4-a716-446655440000',
    mode: 'live',
    id,
    externalId: `user_${number}`,
    ...optionalTexts(() => null),
    name: `Acme Corporation ${number}`,
    email: `billing-${number}@acme.example`,
    addressLine1: `${number} Main Street`,
    addressCity: 'San Francisco',
    addressState: 'CA',
    addressPostalCode: '94105',
    addressCountry: 'US',
    timezone: 'UTC',
    parentId: null,
    metadata: { plan_tier: `enterprise ${number}`, account_manager: `jane_${number}` },
    integrations: [],
    profile: {},
    status: 'published',
    version: 1,
    createdAtMs: number,
    updatedAtMs: number,
    createdBy: `key_${number}`,
    updatedBy: `key_${number}`,
  }
  // A customer read from D1 or KV shares no strings with others, so none is shared here.
  const snapshot = snapshotOf(JSON.parse(JSON.stringify(customer)))
  const body = JSON.stringify(customer)
  snapshot.bodies.v1 = body
  customersInMemory.set(`${customer.tenantId}:live:${id}`, { asof: number, value: snapshot, isShared: true })
}

function heapBytes(): number {
  if (!globalThis.gc) throw new Error('run with node --expose-gc')
  globalThis.gc()
  return process.memoryUsage().heapUsed
}

function mb(bytes: number): number {
  return Math.round(bytes / 1024 / 1024)
}
