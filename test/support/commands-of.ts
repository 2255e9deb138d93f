/** The commands of a Markdown page: what its `sh` blocks would have a reader type, one string each. Pure. */

/** Without comments; what goes over several lines, by a backslash or inside quotes, is one command. */
export function commandsOf(markdown: string): string[] {
  const blocks = [...markdown.matchAll(/^```sh\n(.*?)^```/gms)].map(([, block = '']) => block)
  return blocks.flatMap((block) => {
    const commands: string[] = []
    let open = ''
    for (const line of block.split('\n')) {
      open += open === '' ? line : `\n${line}`
      if (open.endsWith('\\') || quoteOf(open) !== '') continue
      const command = withoutComment(open).trim()
      if (command !== '') commands.push(command)
      open = ''
    }
    if (open !== '') throw new Error(`A command does not end: ${open}`)
    return commands
  })
}

/** The fenced blocks of a language, as they are. */
export function blocksOf(markdown: string, language: string): string[] {
  return [...markdown.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(([, block = '']) => block)
}

/** The quote a text leaves open, or an empty string. */
function quoteOf(text: string): string {
  let open = ''
  for (const character of text) {
    if (open === '' && (character === '"' || character === "'")) open = character
    else if (character === open) open = ''
  }
  return open
}

/** A `#` at the beginning of a word, outside of quotes, begins a comment. */
function withoutComment(text: string): string {
  for (const match of text.matchAll(/(^|\s)#/g)) {
    const before = text.slice(0, match.index)
    if (quoteOf(before) === '') return before
  }
  return text
}
