/**
 * Reads JSON without losing the digits of a number. JSON.parse rounds a number to a double, so 12345678901234567890
 * becomes 12345678901234567000, and 1.10 becomes 1.1. Every text of JSON that reaches Roster from outside is read here: bodies, lines of an
 * import, parameters, responses to an onboarding. A duplicate key counts as JSON.parse has it: the last one wins.
 */
import type { InputProblem } from '../registry/errors.ts'
import { unstorableString } from './storable-text.ts'

/** More than any body needs. The checks of a body, and JSON.stringify, are recursive. */
export const JSON_DEPTH_MAX = 100

/**
 * Matches text that may hold a number whose digits differ from those that JavaScript writes for it: many digits, a zero
 * at the end of a fraction, an exponent, a small fraction, or minus zero. A call for each value makes JSON.parse ten
 * times slower.
 */
const UNUSUAL_NUMBER = /(?:^|"\s*:|[[,])\s*-?(?:[\d.]{16}|\d+\.\d*0(?!\d)|[\d.]+[eE]|0\.000000|0(?<=-0)(?![.\d]))/
/** Matches escapes that may stand for NUL or a surrogate. Only then are all strings checked. */
const SUSPICIOUS = /\\u0000|\\ud[89a-f]/i

const QUOTE = 0x22
const BACKSLASH = 0x5c
const BRACKET = 0x5b
const BRACKET_END = 0x5d
const BRACE = 0x7b
const BRACE_END = 0x7d

/** The texts of numbers, by their object or array and their key in it. */
const numberTexts = new WeakMap<object, Map<string, string>>()

/** A number with its own digits, as JSON.rawJSON makes it. JSON.stringify writes these digits. */
export interface RawNumber {
  readonly rawJSON: string
}

declare global {
  interface JSON {
    rawJSON(text: string): RawNumber
    isRawJSON(value: unknown): value is RawNumber
  }
}

/**
 * Returns the value of a JSON text, and the first problem that forbids to use it: nested too deep, a number without a
 * finite value, or a string that cannot be stored. Throws `SyntaxError` for a text that is no JSON.
 */
export function readJson(text: string): { value: unknown; problem: InputProblem | null } {
  if (isDeep(text)) return { value: null, problem: tooDeep(JSON_DEPTH_MAX) }
  const value: unknown = JSON.parse(text)
  const isSuspicious = SUSPICIOUS.test(text) || text.includes('\0')
  if (!UNUSUAL_NUMBER.test(text)) return { value, problem: isSuspicious ? unstorableString(value) : null }
  const noted = JSON.parse(text, noteNumber)
  return { value: noted, problem: unusableValue(noted) }
}

/** Returns the first number without a finite value, or the first string that cannot be stored; null if there is none. */
export function unusableValue(value: unknown): InputProblem | null {
  return infiniteNumber(value) ?? unstorableString(value)
}

function noteNumber(this: object, key: string, value: unknown, context?: { source?: string }): unknown {
  const source = context?.source
  if (typeof value !== 'number' || source === undefined || source === String(value)) return value
  const texts = numberTexts.get(this)
  if (texts) texts.set(key, source)
  else numberTexts.set(this, new Map([[key, source]]))
  return value
}

/** Returns the number at `holder[key]` as it was sent. */
export function numberText(holder: object, key: string, value: number): string {
  return numberTexts.get(holder)?.get(key) ?? String(value)
}

/**
 * Returns a copy whose numbers are `RawNumber`s where JSON.stringify would write other digits than were sent. Returns
 * the value itself if there is no such number in it.
 */
export function withDigits(value: unknown, levels = JSON_DEPTH_MAX): unknown {
  // A bound Worker may send an object that contains itself. The check of its depth comes later.
  if (typeof value !== 'object' || value === null || levels === 0) return value
  const texts = numberTexts.get(value)
  let isSame = true
  const entries = Object.entries(value).map(([key, inner]): [string, unknown] => {
    const text = texts?.get(key)
    const kept = text === undefined ? withDigits(inner, levels - 1) : JSON.rawJSON(text)
    isSame &&= kept === inner
    return [key, kept]
  })
  if (isSame) return value
  return Array.isArray(value) ? entries.map(([, inner]) => inner) : Object.fromEntries(entries)
}

/** Reads JSON that was stored, for a response: its numbers keep their digits as in `withDigits`. */
export function storedJson(text: string): unknown {
  return withDigits(readJson(text).value)
}

/** The digits that any double keeps. */
const DOUBLE_DIGITS = 15

/** Reads JSON that was stored, as plain values: a number that a double does not hold is the text of its digits. */
export function valuesOf(text: string): unknown {
  return JSON.parse(text, (_key, value: unknown, context?: { source?: string }) => {
    const source = context?.source
    if (typeof value !== 'number' || source === undefined || source === String(value)) return value
    const digits = source
      .replace(/[eE].*/, '')
      .replace(/\D/g, '')
      .replace(/^0+/, '')
    return digits.length <= DOUBLE_DIGITS && (value !== 0 || digits === '') ? value : source
  })
}

/** Returns whether a JSON value is nested at most `levels` deep. */
export function isShallow(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null || JSON.isRawJSON(value)) return true
  return levels > 0 && Object.values(value).every((inner) => isShallow(inner, levels - 1))
}

/**
 * Returns whether a text is nested too deep to be read. Found without reading it: JSON.parse takes 30 ms for as many
 * brackets as a body can have.
 */
function isDeep(text: string): boolean {
  let levels = 0
  for (let at = 0; at < text.length; at++) {
    const character = text.charCodeAt(at)
    if (character === QUOTE) at = endOfString(text, at)
    else if (character === BRACKET || character === BRACE) levels++
    else if (character === BRACKET_END || character === BRACE_END) levels--
    if (levels > JSON_DEPTH_MAX) return true
  }
  return false
}

/** Returns the position of the quote that closes the one at a position; the length of the text if there is none. */
function endOfString(text: string, from: number): number {
  for (let end = text.indexOf('"', from + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let escapes = 0
    while (text.charCodeAt(end - 1 - escapes) === BACKSLASH) escapes++
    if (escapes % 2 === 0) return end
  }
  return text.length
}

function tooDeep(levels: number): InputProblem {
  return { field: '', message: `is nested more than ${levels} levels deep`, fix: 'send it flatter, or as JSON text' }
}

function infiniteNumber(value: unknown, path: string[] = []): InputProblem | null {
  if (value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY) {
    return { field: path.join('.'), message: 'is a number beyond all that can be read', fix: 'send it as text' }
  }
  if (typeof value !== 'object' || value === null) return null
  for (const [key, inner] of Object.entries(value)) {
    const problem = infiniteNumber(inner, [...path, key])
    if (problem) return problem
  }
  return null
}
