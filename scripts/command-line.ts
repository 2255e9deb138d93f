/**
 * The checks of what a command was given: explains a wrong option, and refuses a key or a URL that cannot be used
 * before anything is sent. Pure: each command prints and ends by itself.
 */
import { plainText, shown } from '../src/shared/shown-text.ts'
import { nearestHint } from '../src/validation/nearest.ts'

/** The exit code of a command whose command line is wrong. */
export const WRONG_USAGE = 2

/**
 * Returns what is wrong with a command line, from the error of `parseArgs` and the options that it knows. It never
 * repeats a value, because one may be a key.
 */
export function optionProblem(error: unknown, options: Record<string, unknown>): string {
  const { code = '', message = '' } = error as { code?: string; message?: string }
  const [, name = ''] = /'(?:-\w, )?--?([^'\s=]+)/.exec(message) ?? []
  const option = plainText(name)
  if (code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') {
    return `There is no option --${option}${nearestHint(name, Object.keys(options)).replace('mean ', 'mean --')}`
  }
  if (code === 'ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL') return 'There is a word too many: quote what has spaces'
  if (code !== 'ERR_PARSE_ARGS_INVALID_OPTION_VALUE') return plainText(message)
  return message.includes('does not take an argument')
    ? `--${option} takes no value`
    : `--${option} needs a value: write --${option} <value>, or --${option}=<value> if it begins with a hyphen`
}

/**
 * Returns what is wrong with a key, or null. A header cannot carry it then, so it would be refused before it is sent,
 * which looks like a server that is away. `what` names the key and where it came from.
 */
export function keyProblem(key: string, what: string): string | null {
  const copy = 'Copy it again, on one line and without anything around it'
  const place = (at: number) => `at character ${at + 1} of ${key.length}`
  const found = [
    { name: 'a line break', at: key.search(/[\r\n]/) },
    { name: 'a control character', at: key.search(/\p{Cc}/u) },
    { name: 'a character that is not ASCII', at: key.search(/[^\x20-\x7e]/) },
    { name: 'a space at an end', at: key.search(/^\s|\s$/) },
    { name: 'a quote at an end', at: key.search(/^["'`]|["'`]$/) },
  ].find(({ at }) => at !== -1)
  if (key === '') return `${what} is empty. ${copy}`
  return found ? `${what} contains ${found.name} ${place(found.at)}. ${copy}` : null
}

/** Returns what is wrong with the URL of a Roster, or null. */
export function urlProblem(text: string, what = '--url'): string | null {
  const such = 'Write it such as https://roster.example.workers.dev or http://127.0.0.1:8787'
  if (!/^https?:\/\//i.test(text)) return `${what} ${shown(text)} has no https:// in front. ${such}`
  if (!URL.canParse(text)) return `${what} ${shown(text)} is no URL. ${such}`
  const { username, password, search, hash, pathname } = new URL(text)
  if (username !== '' || password !== '') return `${what} has a name or a password in it. ${such}`
  if (search !== '' || hash !== '' || pathname !== '/')
    return `${what} ${shown(text)} has a path behind the host. ${such}`
  return null
}

/** A Roster on this machine. */
export const DEFAULT_URL = 'http://127.0.0.1:8787'

/** Returns the Roster that a command talks to, `--url`, else that of ROSTER_URL, else this machine's, and what is wrong with its URL. */
export function rosterUrl(given: string | undefined, { ROSTER_URL: named }: NodeJS.ProcessEnv) {
  const url = given ?? (named || DEFAULT_URL)
  return { url, problem: urlProblem(url, given === undefined ? 'ROSTER_URL' : '--url') }
}
