/**
 * Serializes a long list in pieces, between which the isolate serves other requests: a thousand customers take as long as
 * many small requests together.
 */
import type { Sleep } from '../shared/sleep.ts'
import type { JsonText } from './respond.ts'

/** Items of one piece. */
export const PIECE_ITEMS = 200

/** Returns the JSON text of an object with `items`, which are made as they are needed, and then the fields of `rest`. */
export async function jsonOfList<Given, Item, Rest extends object>(
  given: readonly Given[],
  itemOf: (given: Given, at: number) => Item,
  rest: Rest,
  sleep: Sleep,
): Promise<JsonText<{ items: Item[] } & Rest>> {
  const texts: string[] = []
  for (let from = 0; from < given.length; from += PIECE_ITEMS) {
    if (from > 0) await sleep(0)
    const items = given.slice(from, from + PIECE_ITEMS).map((one, at) => itemOf(one, from + at))
    // Without its brackets.
    texts.push(JSON.stringify(items).slice(1, -1))
  }
  const restText = JSON.stringify(rest).slice(1)
  return `{"items":[${texts.join()}]${restText === '}' ? '' : ','}${restText}`
}
