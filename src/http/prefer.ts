/**
 * The Prefer header (RFC 7240), with preferences of the caller that a response may ignore. The preferences that Roster
 * knows: `handling=strict`, `consistency=strong` and `server-timing`.
 */

/** The part of a request's context that holds its preferences. Undefined if the request has none. */
interface WithPreferences {
  get(key: 'preferences'): ReadonlyMap<string, string> | undefined
}

const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/
/** Matches the preferences of a list: everything up to a comma that is not inside quotes. */
const ELEMENTS = /(?:[^",]|"(?:[^"\\]|\\.)*"?)+/g
/** Matches a preference without its parameters. No preference known here has any. */
const WITHOUT_PARAMETERS = /^(?:[^";]|"(?:[^"\\]|\\.)*"?)*/
const QUOTED = /^"((?:[^"\\]|\\.)*)"$/

/**
 * Returns the preferences by name, both in lower case; the value is `''` if there is none. Of several with the same name
 * the first counts. Text that is no preference is ignored, as a preference that Roster does not know is.
 */
export function preferencesIn(header: string): Map<string, string> {
  const preferences = new Map<string, string>()
  for (const element of header.match(ELEMENTS) ?? []) {
    const [preference = ''] = WITHOUT_PARAMETERS.exec(element) ?? []
    const [name = '', ...rest] = preference.split('=')
    const [key, value] = [name.trim().toLowerCase(), valueIn(rest.join('=').trim())]
    if (TOKEN.test(key) && value !== null && !preferences.has(key)) preferences.set(key, value)
  }
  return preferences
}

/** Returns null if the text is neither a token, a quoted string, nor empty. */
function valueIn(text: string): string | null {
  if (text === '' || TOKEN.test(text)) return text.toLowerCase()
  return QUOTED.exec(text)?.[1]?.replaceAll(/\\(.)/g, '$1').toLowerCase() ?? null
}

/** Returns true if the caller prefers it, such as `handling` with the value `strict`. */
export function prefers(c: WithPreferences, name: string, value = ''): boolean {
  return c.get('preferences')?.get(name) === value
}
