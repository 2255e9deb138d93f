/**
 * Logs changes that write no customer event: changes of endpoints and settings, and signals. A line holds ids only. A
 * repeated request is not logged, because its response is the stored one and nothing was changed.
 */
import { log } from '../shared/log.ts'
import type { HttpContext } from './api.ts'

/** Logs a change. `facts` holds the actor and the ids of what it changed. The tenant and mode are added. */
export function logChange(
  c: HttpContext,
  event: string,
  facts: { actor: string; [id: string]: string | number },
): void {
  if (c.get('idempotentRequest')?.replayed) return
  log('info', { event, requestId: c.get('requestId'), ...facts, ...c.get('registry').scope })
}
