/** An R2 that fails on demand: a call is refused unread, or done while its answer is lost. */

export type R2Trouble = 'none' | 'unsent' | 'lost'

/** Returns the bucket with the fate of each call, in their order; the calls after those succeed. */
export function failingR2(bucket: R2Bucket, ahead: R2Trouble[]): R2Bucket {
  const failing = (method: 'put' | 'get' | 'delete' | 'list') => {
    return async (...given: unknown[]) => {
      const trouble = ahead.shift() ?? 'none'
      const call = () => (bucket[method] as (...given: unknown[]) => Promise<unknown>).call(bucket, ...given)
      if (trouble === 'none') return call()
      if (trouble === 'lost') await call()
      throw new Error('put: Unspecified error (0)')
    }
  }
  return {
    put: failing('put'),
    get: failing('get'),
    delete: failing('delete'),
    list: failing('list'),
  } as unknown as R2Bucket
}
