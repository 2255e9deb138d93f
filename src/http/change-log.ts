/**
 * The log line of a change that leaves no event of a customer behind: endpoints, settings, signals. Ids only, and none for an
 * answer that was told before, which changed nothing.
 */
import { log } from '../shared/log.ts'
import type { HttpContext } from './door.ts'

/** `facts`: who changed what, besides the tenant and mode. */
export function logChange(
  c: HttpContext,
  event: string,
  facts: { actor: string; [id: string]: string | number },
): void {
  if (c.get('repeatable')?.replayed) return
  log('info', { event, requestId: c.get('requestId'), ...facts, ...c.get('registry').scope })
}
