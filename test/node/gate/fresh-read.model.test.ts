import { describe, expect, it } from 'vitest'
import { type View, View as ViewClass } from '../../../src/gate/core/freshness.ts'
import {
  canServe,
  type ReadFrom,
  type ReadPorts,
  readFresh,
  type Stamped,
} from '../../../src/gate/isolate/fresh-read.ts'

const BUCKETS = [7]
const NEVER = Number.POSITIVE_INFINITY

/** A view that knows of ten writes; the bucket of the test changed last in the fifth. */
function viewOf(changed: Partial<View> = {}): View {
  const view = new ViewClass()
  const delta = { seq: 10, stable: 9, floor: 2, bookmark: 'b10', since: 0, changes: [7, 5], pending: [] }
  view.merge(delta, true)
  return Object.assign(view, changed)
}

interface World {
  memory?: Stamped<string>
  kv?: Stamped<string>
  /** The result of D1; by default a row at bookmark b99. */
  d1?: (from: ReadFrom) => { value: string | null; bookmark: string | null }
  view?: View
  /** The number of the database by the tenant's id. */
  hint?: number
  /** The lease has to be asked for first. */
  cold?: boolean
  /** KV takes longer than for a value that is nearby: so many milliseconds. D1 takes five. */
  kvMs?: number
}

function passed(ms: number): Promise<unknown> {
  return new Promise((resolve) => {
    if (ms !== NEVER) setTimeout(resolve, ms)
  })
}

function portsOf(world: World) {
  const asked: string[] = []
  const view = world.view ?? viewOf()
  const ports: ReadPorts<string> = {
    databaseHint: () => world.hint ?? 0,
    memory: () => world.memory,
    kv: async () => {
      asked.push('kv')
      if (world.kvMs) await passed(world.kvMs)
      return world.kv ?? null
    },
    soon: (kv) => (world.kvMs ? Promise.race([kv, passed(1).then(() => 'late' as const)]) : kv),
    d1: async (from) => {
      const { database, start } = from
      asked.push(`${database > 0 ? `${database}:` : ''}${typeof start === 'string' ? start : start.bookmark}`)
      if (world.kvMs) await passed(5)
      return world.d1?.(from) ?? { value: 'row', bookmark: 'b99' }
    },
    lease: () => {
      if (!world.cold) return view
      asked.push('lease')
      return new Promise((resolve) => setTimeout(() => resolve(view), 5))
    },
  }
  return { asked, ports }
}

async function read(world: World, token: { seq: number; bookmark: string | null } | null = null) {
  const { asked, ports } = portsOf(world)
  return { ...(await readFresh(ports, BUCKETS, token)), asked: asked.join(' ') }
}

describe('a read', () => {
  it('is answered from memory when its stamp is good, with nothing asked', async () => {
    const memory = { asof: 5, value: 'kept' }
    expect(await read({ memory })).toEqual({ value: 'kept', from: 'memory', fillMemory: null, fillKv: null, asked: '' })
    expect(canServe(memory, viewOf(), BUCKETS, null)).toBe(true)
    expect(canServe(undefined, viewOf(), BUCKETS, null)).toBe(false)
  })

  it('is answered by KV when memory has nothing good, and memory learns it', async () => {
    const kv = { asof: 6, value: 'stored' }
    const memory = { asof: 4, value: 'old' }
    expect(await read({ memory, kv })).toEqual({
      value: 'stored',
      from: 'kv',
      fillMemory: kv,
      fillKv: null,
      asked: 'kv',
    })
  })

  it('is answered by a tombstone as by a value', async () => {
    expect(await read({ kv: { asof: 6, value: null } })).toMatchObject({ value: null, from: 'kv' })
  })

  it('goes to a replica that has the bookmark when KV has nothing, and fills both with the stamp of the lease', async () => {
    const fill = { asof: 9, value: 'row' }
    expect(await read({})).toEqual({ value: 'row', from: 'd1', fillMemory: fill, fillKv: fill, asked: 'kv b10' })
    expect(await read({ d1: () => ({ value: null, bookmark: 'b10' }) })).toMatchObject({
      fillKv: { asof: 9, value: null },
    })
  })

  it('takes nothing that is stamped before the last change, or below the floor', async () => {
    expect(await read({ kv: { asof: 4, value: 'old' } })).toMatchObject({ from: 'd1' })
    const untouched = viewOf({ floor: 20 })
    expect(await read({ kv: { asof: 19, value: 'old' }, view: untouched })).toMatchObject({ from: 'd1' })
    expect(await read({ kv: { asof: 20, value: 'new' }, view: untouched })).toMatchObject({ from: 'kv' })
  })

  it('goes to the primary while a write is under way, and before the first bookmark', async () => {
    expect(await read({ view: viewOf({ pending: [3, 7] }) })).toMatchObject({ asked: 'kv primary' })
    expect(await read({ view: viewOf({ pending: [3] }) })).toMatchObject({ asked: 'kv b10' })
    expect(await read({ view: viewOf({ bookmark: null }) })).toMatchObject({ asked: 'kv primary' })
  })

  it('with a token the lease does not know of goes past the caches to where the write is', async () => {
    const kept = { asof: 10, value: 'kept' }
    const token = { seq: 11, bookmark: 'b11' }
    expect(await read({ memory: kept, kv: kept }, token)).toMatchObject({
      from: 'd1',
      asked: 'b11',
      fillKv: { asof: 9 },
    })
    expect(await read({ memory: kept }, { seq: 10, bookmark: 'b10' })).toMatchObject({ from: 'memory' })
    expect(await read({}, { seq: 3, bookmark: 'b03' }), 'the later bookmark').toMatchObject({ asked: 'kv b10' })
  })
})

describe('a read for which KV takes long', () => {
  const stored = { asof: 6, value: 'stored' }
  const away = () => {
    throw new Error('away')
  }

  it('asks D1 meanwhile, and takes what is there first', async () => {
    expect(await read({ kvMs: NEVER })).toMatchObject({ from: 'd1', value: 'row', asked: 'kv b10' })
    expect(await read({ kvMs: NEVER, kv: stored })).toMatchObject({ from: 'd1', fillMemory: { asof: 9, value: 'row' } })
    expect(await read({ kvMs: 3, kv: stored })).toMatchObject({ from: 'kv', value: 'stored', asked: 'kv b10' })
  })

  it('takes nothing from KV that is not good, and waits for D1', async () => {
    expect(await read({ kvMs: 3, kv: { asof: 4, value: 'old' } })).toMatchObject({ from: 'd1', value: 'row' })
  })

  it('is answered by KV when D1 is away, and fails when neither has an answer', async () => {
    expect(await read({ kvMs: 20, kv: stored, d1: away })).toMatchObject({ from: 'kv', value: 'stored' })
    await expect(read({ kvMs: 20, d1: away })).rejects.toThrow('away')
    await expect(read({ kvMs: 20, kv: { asof: 4, value: 'old' }, d1: away })).rejects.toThrow('away')
  })

  it('asks D1 before the lease is there too', async () => {
    expect(await read({ cold: true, kvMs: NEVER })).toMatchObject({ from: 'd1', asked: 'lease kv anywhere' })
    const lagging = ({ start }: ReadFrom) => ({ value: 'row', bookmark: start === 'anywhere' ? 'b09' : 'b99' })
    expect(await read({ cold: true, kvMs: NEVER, d1: lagging })).toMatchObject({ asked: 'lease kv anywhere b10' })
    expect(await read({ cold: true, kvMs: 7, kv: stored, d1: away })).toMatchObject({ from: 'kv' })
  })

  it('does not wait for KV at all when the lease does not judge for its token', async () => {
    const token = { seq: 11, bookmark: 'b11' }
    expect(await read({ kvMs: NEVER, kv: stored }, token)).toMatchObject({ from: 'd1', asked: 'b11' })
    expect(await read({ cold: true, kvMs: NEVER, kv: stored }, token)).toMatchObject({ from: 'd1' })
  })
})

describe('a cold read', () => {
  it('asks the gate, KV and D1 side by side', async () => {
    expect(await read({ cold: true })).toMatchObject({ from: 'd1', value: 'row', asked: 'lease kv anywhere' })
  })

  it('leaves D1 alone when KV has something, and KV when memory has', async () => {
    expect(await read({ cold: true, kv: { asof: 6, value: 'stored' } })).toMatchObject({
      from: 'kv',
      asked: 'lease kv',
    })
    expect(await read({ cold: true, memory: { asof: 6, value: 'kept' } })).toMatchObject({
      from: 'memory',
      asked: 'lease',
    })
  })

  it('reads again when the early read saw too little, was for a pending id, or failed', async () => {
    const lagging = ({ start }: ReadFrom) => ({ value: 'row', bookmark: start === 'anywhere' ? 'b09' : 'b99' })
    expect(await read({ cold: true, d1: lagging })).toMatchObject({ asked: 'lease kv anywhere b10' })
    const view = viewOf({ pending: [7] })
    expect(await read({ cold: true, view })).toMatchObject({ asked: 'lease kv anywhere primary' })
    const failing = ({ start }: ReadFrom) => {
      if (start === 'anywhere') throw new Error('away')
      return { value: 'row', bookmark: 'b99' }
    }
    expect(await read({ cold: true, d1: failing })).toMatchObject({ value: 'row', asked: 'lease kv anywhere b10' })
  })

  it('reads again where the tenant is, when the early read was of another database', async () => {
    const moved = viewOf()
    moved.database = 2
    expect(await read({ cold: true, hint: 1, view: moved })).toMatchObject({ asked: 'lease kv 1:anywhere 2:b10' })
    expect(await read({ cold: true, hint: 2, view: moved })).toMatchObject({ asked: 'lease kv 2:anywhere' })
    expect(await read({ hint: 1, view: moved })).toMatchObject({ asked: 'kv 2:b10' })
  })

  it('is refused with the lease, whatever the early reads bring', async () => {
    const { ports } = portsOf({ cold: true })
    const refused = { ...ports, lease: () => Promise.reject(new Error('refused')) }
    await expect(readFresh(refused, BUCKETS, null)).rejects.toThrow('refused')
  })

  it('fails when D1 does', async () => {
    const away = () => {
      throw new Error('away')
    }
    await expect(read({ d1: away })).rejects.toThrow('away')
    await expect(read({ cold: true, d1: away })).rejects.toThrow('away')
  })
})
