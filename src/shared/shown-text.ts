/**
 * Text that somebody else wrote, as a message or a terminal may show it: on one line, and without characters that a
 * terminal acts on, that nobody sees, or that turn the direction of the text. Pure.
 */

const LENGTH_MAX = 60
/** Controls, line separators, halves of surrogate pairs, and invisible or direction characters. */
const UNSAFE =
  /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\u{61c}\u{200b}\u{200e}\u{200f}\u{202a}-\u{202e}\u{2060}-\u{206f}\u{feff}\u{e0000}-\u{e007f}]+/gu

/** Returns the value as text on one line. Each run of unsafe characters is one space. */
export function plainText(value: unknown): string {
  return String(value).replace(UNSAFE, ' ')
}

/** Returns the text in quotes, as an error repeats what was sent: plain, and cut after 60 characters. Never for a key. */
export function shown(text: string): string {
  // A first cut, cheap for a text of any length; the second one keeps whole characters.
  const characters = [...plainText(text.slice(0, 2 * LENGTH_MAX + 2))]
  return `"${characters.slice(0, LENGTH_MAX).join('')}${characters.length > LENGTH_MAX ? '…' : ''}"`
}
