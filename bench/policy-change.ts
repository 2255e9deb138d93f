/**
 * Measures how long an operator waits for a change of policy, which is in force everywhere when the response arrives:
 * with three isolates under load, and for a tenant without traffic.
 */
import { Client, pause } from '../test/node/isolates/client.ts'
import { startCluster } from '../test/node/support/cluster.ts'
import { median } from './ratio.ts'

const ROUNDS = 5
const READS_PER_SECOND_EACH = 40

export interface PolicyChangeFigures {
  underLoadMs: number
  idleMs: number
  /** Requests admitted after a suspension was answered. */
  admittedAfter: number
}

export async function measurePolicyChange(): Promise<PolicyChangeFigures> {
  const cluster = await startCluster({ edges: 3 })
  const client = new Client(cluster)
  const timed = async (tenantId: string, body: object) => {
    const startMs = performance.now()
    await client.admin('PUT', `/${tenantId}`, body)
    return performance.now() - startMs
  }
  try {
    const underLoad: number[] = []
    const idle: number[] = []
    let admittedAfter = 0
    for (let round = 0; round < ROUNDS; round++) {
      const busy = await client.newTenant({ tier: 'scale' })
      const quiet = await client.newTenant({ tier: 'scale' })
      const load = client.load(busy, await client.newCustomer(busy, 'bench'), READS_PER_SECOND_EACH)
      await pause(1_500)
      underLoad.push(await timed(busy.tenantId, { status: 'suspended' }))
      const inForceAtMs = performance.now()
      idle.push(await timed(quiet.tenantId, { status: 'suspended' }))
      await pause(500)
      const answered = await load.stop()
      admittedAfter += answered.filter(({ sentAtMs, status }) => sentAtMs > inForceAtMs && status === 200).length
    }
    return { underLoadMs: median(underLoad), idleMs: median(idle), admittedAfter }
  } finally {
    await cluster.dispose()
  }
}
