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
  for (const [at, one] of given.entries()) {
    if (at > 0 && at % PIECE_ITEMS === 0) await sleep(0)
    texts.push(JSON.stringify(itemOf(one, at)))
  }
  const restText = JSON.stringify(rest).slice(1)
  return `{"items":[${texts.join()}]${restText === '}' ? '' : ','}${restText}`
}
