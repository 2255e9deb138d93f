/**
 * A text without spaces, such as an address or a key, that breaks behind its punctuation if it does not fit.
 */
import { Fragment } from 'react'

export function Breakable({ text }: { text: string }) {
  let end = 0
  return text.split(/(?<=[@._/:-])(?=[^@._/:-])/).map((part) => {
    const start = end
    end += part.length
    return (
      <Fragment key={start}>
        {start > 0 && <wbr />}
        {part}
      </Fragment>
    )
  })
}
