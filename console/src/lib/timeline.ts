/**
 * Groups what happened by day, as a reader in a time zone counts days. Pure.
 */
const DAY_MS = 86_400_000

export interface Day<Entry> {
  /** `2026-11-27`, in the reader's zone. */
  date: string
  /** `Today`, `Yesterday`, or `Wed 25 Nov 2026`. */
  label: string
  entries: Entry[]
}

/** Returns the entries by day, in their order. `timeOf` returns the time of an entry, ISO 8601. */
export function byDay<Entry>(
  entries: readonly Entry[],
  timeOf: (entry: Entry) => string,
  nowMs: number,
  timeZone?: string,
): Day<Entry>[] {
  const iso = new Intl.DateTimeFormat('sv-SE', { timeZone })
  const long = new Intl.DateTimeFormat('en-GB', {
    ...{ weekday: 'short', day: 'numeric', month: 'short', year: 'numeric', timeZone },
  })
  const [today, yesterday] = [iso.format(nowMs), iso.format(nowMs - DAY_MS)]
  const days: Day<Entry>[] = []
  for (const entry of entries) {
    const ms = Date.parse(timeOf(entry))
    const date = iso.format(ms)
    const last = days.at(-1)
    if (last?.date === date) {
      last.entries.push(entry)
      continue
    }
    const label = date === today ? 'Today' : date === yesterday ? 'Yesterday' : long.format(ms).replace(',', '')
    days.push({ date, label, entries: [entry] })
  }
  return days
}
