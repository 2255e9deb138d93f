/**
 * Says whose data an event has. A customer that was merged into another one, its host, may come back and be erased alone, so the
 * events that the host got meanwhile belong to both. Pure.
 */

/** A time for which a customer was merged into another one. The host's versions from above the first to the last are in it. */
export interface Stay {
  customerId: string
  hostId: string
  aboveVersion: number
  /** Null while it lasts. */
  untilVersion: number | null
  sinceMs: number
  untilMs: number | null
}

/**
 * Returns the customers that the event is about, its own one first: each whose erasure has to take the event's documents away. A
 * host may have been a guest itself, with what its own guests had left with it.
 */
export function ownersOf(
  event: { customerId: string; version: number; createdAtMs: number },
  stays: readonly Stay[],
): string[] {
  const owners = new Set([event.customerId])
  const found = stays.filter(
    (stay) =>
      stay.hostId === event.customerId &&
      event.version > stay.aboveVersion &&
      (stay.untilVersion === null || event.version <= stay.untilVersion) &&
      event.createdAtMs >= stay.sinceMs,
  )
  const seen = new Set<Stay>()
  for (let next = found.pop(); next; next = found.pop()) {
    if (seen.has(next)) continue
    seen.add(next)
    owners.add(next.customerId)
    const host = next
    found.push(...stays.filter((stay) => stay.hostId === host.customerId && isThereWhen(stay, host)))
  }
  const [own, ...guests] = owners
  return [own as string, ...guests.sort()]
}

/** Returns whether the guest of `stay` had not left when its host became a guest itself. */
function isThereWhen(stay: Stay, later: Stay): boolean {
  if (later.sinceMs < stay.sinceMs) return false
  return stay.untilMs === null || stay.untilMs > later.sinceMs
}
