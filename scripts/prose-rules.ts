/**
 * The phrases that comments, names, tests and pages of this repository do not use, and what to write instead. Pure: text in,
 * findings out. `check-prose.mjs` reads the files.
 */

export interface Finding {
  /** Counted from 1. */
  line: number
  /** The text that was found, on one line. */
  found: string
  /** The advice on how to write it instead. */
  instead: string
}

interface Rule {
  pattern: RegExp
  instead: string
}

/** Between two words of a comment there may be a line break and the mark of the next comment line. */
const GAP = String.raw`(?:[ \t]+|\s*\n\s*(?:\*|//|--|#|>)?[ \t]*)`

/** Words that are refused anywhere: in prose, in strings and as a part of a name (`toldAt`, `isTold`). */
const WORDS: readonly Rule[] = [
  { pattern: new RegExp(String.raw`\bcan${GAP}not\b(?! only)`, 'gi'), instead: 'cannot, in one word' },
  { pattern: word('told'), instead: 'notified, logged, sent or returned, and who did it' },
  { pattern: word('mend', 's', 'ed', 'ing'), instead: 'fix' },
  { pattern: word('whoever'), instead: 'the actor: a caller, an operator, a Worker that …' },
  { pattern: word('door', 's'), instead: 'API (v1, FlatPeak, admin, RPC), route or method' },
  { pattern: word('dialect', 's'), instead: 'API, or the name of the wire format' },
  { pattern: word('weather'), instead: 'fault schedule, faults' },
  { pattern: word('seat'), instead: 'lease holder' },
  { pattern: word('wiring'), instead: 'composition' },
  { pattern: /\bseeds? 00\d\b/gi, instead: 'the name of the reference document, such as "FlatPeak\'s customers"' },
]

/** Beginnings without a subject. A comment starts with a verb or with a noun that says what the thing is. */
const COMMENT_START: Rule = {
  pattern: /^(?:Of|What|Who|Whoever|Whose|Whom|None)\b|^Null(?:\b (?:for|when|if|where)\b|:)/,
  instead: 'start with a verb or a noun: "Returns null when …", "The statements that …"',
}

/** A test name says what Roster does, so it starts with a verb. */
const TEST_NAME_START: Rule = {
  pattern:
    /^(?:a|an|the|no|every|each|all|any|of|what|who|whoever|whose|where|when|how|none|null|nothing|nobody)\b(?!-)/i,
  instead: 'start with a verb: "returns 404 for the second delete"',
}

const TEST_NAME = /(?:\b(?:it|test)(?:\.\w+)*|^\s*\]?\)|\.each\(.*?\))\(\s*(['"`])(.*?)\1/
const LINE_COMMENTS: Record<string, string> = { sql: '--', sh: '#', toml: '#', yml: '#', yaml: '#' }

/** Returns what to change in the text of a file, in the order of its lines. The name of the file says which rules hold. */
export function findingsIn(file: string, text: string): Finding[] {
  const findings = WORDS.flatMap(({ pattern, instead }) =>
    [...text.matchAll(pattern)].map((match) => ({
      line: lineAt(text, match.index),
      found: match[0].replace(/\s*\n\s*(?:\*|\/\/|--|#|>)?\s*/, ' '),
      instead,
    })),
  )
  // A file without an ending is a script of the shell.
  const extension = /\.(\w+)$/.exec(file)?.[1] ?? 'sh'
  if (extension !== 'md') findings.push(...commentStarts(text, LINE_COMMENTS[extension] ?? '//'))
  if (/\.test\.ts$/.test(file)) findings.push(...testNames(text))
  return findings.sort((a, b) => a.line - b.line)
}

/** Matches the word and its endings, alone or as a part of a camelCase name, and not inside of another word. */
function word(text: string, ...endings: string[]): RegExp {
  const rest = endings.length > 0 ? `(?:${endings.join('|')})?` : ''
  const [first = '', ...others] = text
  const tail = others.join('')
  const capital = first.toUpperCase()
  return new RegExp(`(?:(?<![A-Za-z])[${first}${capital}]|(?<=[a-z])${capital})${tail}${rest}(?![a-z])`, 'g')
}

/** Only the first line of a comment is looked at: its next lines go on with a sentence. */
function commentStarts(text: string, mark: string): Finding[] {
  const lines = text.split('\n')
  const findings: Finding[] = []
  const look = (index: number, start: string | undefined) => {
    const found = start && COMMENT_START.pattern.exec(start)?.[0]
    if (found) findings.push({ line: index + 1, found: `${found} …`, instead: COMMENT_START.instead })
  }
  const isComment = (line: string | undefined) => line?.trimStart().startsWith(mark) ?? false
  for (const [index, line] of lines.entries()) {
    const block = /\/\*\*?(.*)/.exec(line)
    if (block && mark === '//') {
      const first = block[1]?.trim()
      if (first) look(index, first)
      else look(index + 1, lines[index + 1]?.replace(/^\s*\*\s?/, ''))
    } else if (isComment(line)) {
      if (!isComment(lines[index - 1])) look(index, line.trimStart().slice(mark.length).trimStart())
    } else {
      look(index, line.split(` ${mark} `)[1])
    }
  }
  return findings
}

function testNames(text: string): Finding[] {
  return text.split('\n').flatMap((line, index) => {
    const name = TEST_NAME.exec(line)?.[2]
    const found = name && TEST_NAME_START.pattern.exec(name)?.[0]
    return found ? [{ line: index + 1, found: `${found} …`, instead: TEST_NAME_START.instead }] : []
  })
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length
}
