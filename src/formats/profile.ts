/**
 * Shows the profile of a customer, which is stored in the shape of the FlatPeak API. The only difference is a number
 * whose digits JavaScript would change.
 */
import type { Digits } from '../validation/profile.ts'

/** Returns the profile as responses and events show it: each number has the digits that were sent. */
export function shownProfile(profile: Record<string, unknown>): Record<string, unknown> {
  const { geo_location: place } = profile
  if (typeof place !== 'object' || place === null) return profile
  const shown = Object.entries(place).map(([name, value]) => [
    name,
    isDigits(value) ? JSON.rawJSON(value.digits) : value,
  ])
  return { ...profile, geo_location: Object.fromEntries(shown) }
}

function isDigits(value: unknown): value is Digits {
  return typeof value === 'object' && value !== null && 'digits' in value
}
