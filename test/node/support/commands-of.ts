/** Reads the commands of a Markdown page: the lines of its `sh` blocks that a reader pastes, one after the other. Pure. */

export interface PageCommand {
  /** The command without its comment. */
  text: string
  /** The HTTP status that a comment such as `# 403: suspended` announces; null where success is expected. */
  status: number | null
}

/** Returns each command of the page. One that goes over several lines, by a backslash or inside quotes, is one command. */
export function commandsOf(markdown: string): PageCommand[] {
  return blocksOf(markdown, 'sh').flatMap((block) => {
    const commands: PageCommand[] = []
    let open = ''
    for (const line of block.split('\n')) {
      open += open === '' ? line : `\n${line}`
      if (open.endsWith('\\') || quoteOf(open) !== '') continue
      const { text, comment } = withoutComment(open)
      const announced = /^#\s*([345]\d\d)\b/.exec(comment)?.[1]
      if (text !== '') commands.push({ text, status: announced === undefined ? null : Number(announced) })
      open = ''
    }
    if (open !== '') throw new Error(`A command does not end: ${open}`)
    return commands
  })
}

/** Returns the fenced blocks of a language, unchanged. */
export function blocksOf(markdown: string, language: string): string[] {
  return [...markdown.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(([, block = '']) => block)
}

/** Returns the quote that a text leaves open, or an empty string. */
function quoteOf(text: string): string {
  let open = ''
  for (const character of text) {
    if (open === '' && (character === '"' || character === "'")) open = character
    else if (character === open) open = ''
  }
  return open
}

/** Cuts off the comment: a `#` that begins a word outside of quotes, and what follows it. */
function withoutComment(text: string): { text: string; comment: string } {
  for (const match of text.matchAll(/(?<=^|\s)#/g)) {
    const before = text.slice(0, match.index)
    if (quoteOf(before) === '') return { text: before.trim(), comment: text.slice(match.index) }
  }
  return { text: text.trim(), comment: '' }
}
