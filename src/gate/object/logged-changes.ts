/** Chooses which changes of a batch the log has. */
import type { CommitResult, PreparedWrite } from '../protocol/write-store.ts'
import type { LoggedChange } from './deps.ts'

/** `isOfMany`: it is one of many changes of a request, which the log has by their number. */
interface Written {
  write: PreparedWrite
  isOfMany?: true
}

/** Returns the changes that were made now. `results` are in the order of the batch; one without a result was not made yet. */
export function loggedChanges(
  batch: readonly Written[],
  results: readonly (CommitResult | undefined)[],
): LoggedChange[] {
  return batch.flatMap(({ write, isOfMany }, at) => {
    const result = results[at]
    if (!result?.ok || result.replayed || result.effect === 'unchanged' || isOfMany) return []
    return { requestId: write.requestId, customerId: result.customer.id, effect: result.effect, actor: write.actor }
  })
}
