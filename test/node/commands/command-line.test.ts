/** The parts that the commands share: safe text, wrong options, keys and URLs that cannot be used, and the log of `npm start`. */
import { spawnSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { keyProblem, optionProblem, rosterUrl, urlProblem } from '../../../scripts/command-line.ts'
import { LocalLog } from '../../../scripts/local-log.ts'
import { facts, table } from '../../../scripts/terminal.mjs'
import { plainText, shown } from '../../../src/shared/shown-text.ts'

/** By code point: what a terminal acts on, what separates lines, what nobody sees, what turns the direction. */
function isUnsafe(character: string): boolean {
  const code = character.codePointAt(0) ?? 0
  const within = (from: number, to: number) => code >= from && code <= to
  return (
    within(0x00, 0x1f) ||
    within(0x7f, 0x9f) ||
    code === 0x61c ||
    code === 0x200b ||
    within(0x200e, 0x200f) ||
    within(0x2028, 0x202e) ||
    within(0x2060, 0x206f) ||
    within(0xd800, 0xdfff) ||
    code === 0xfeff ||
    within(0xe0000, 0xe007f)
  )
}

const anyText = fc.string({
  unit: fc.oneof(
    fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
    fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)),
    // A code point by chance is hardly ever one of these.
    fc.constantFrom(...'\u0000\u001b\u007f\u009b\u061c\u200b\u200e\u200f\u2028\u202a\u202e\u2060\u2066\u2069\ufeff'),
  ),
})

describe('text of others', () => {
  it('keeps every safe character in its order, and no other', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        const safe = [...text].filter((character) => !isUnsafe(character) && character !== ' ').join('')
        expect(plainText(text).replaceAll(' ', '')).toBe(safe)
        expect([...plainText(text)].some(isUnsafe)).toBe(false)
      }),
      { numRuns: 500 },
    )
  })

  it('is at most 60 characters where an error repeats it', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect([...shown(text)].length).toBeLessThanOrEqual(63)
        expect([...shown(text)].some(isUnsafe)).toBe(false)
      }),
    )
    expect(shown('a'.repeat(61))).toBe(`"${'a'.repeat(60)}…"`)
    expect(shown('😀'.repeat(60))).toBe(`"${'😀'.repeat(60)}"`)
  })

  it('stays on its line in tables and lists of facts', () => {
    const name = 'a\r\n\u001b[2Jb\u009b1m'
    expect(table([{ name }], { NAME: (row: { name: string }) => row.name }).split('\n')).toEqual(['NAME', 'a [2Jb 1m'])
    expect(facts({ name })).toBe('name  a [2Jb 1m')
  })
})

describe('a wrong command line', () => {
  const options = { url: { type: 'string' }, 'dry-run': { type: 'boolean' }, key: { type: 'string' } } as const
  it.each([
    [['--urll', 'x'], 'There is no option --urll, did you mean --url?'],
    [['--dryrun'], 'There is no option --dryrun, did you mean --dry-run?'],
    [['--zzz'], 'There is no option --zzz'],
    [['--key'], '--key needs a value: write --key <value>, or --key=<value> if it begins with a hyphen'],
    [['--key', '--url'], '--key needs a value: write --key <value>, or --key=<value> if it begins with a hyphen'],
    [['--dry-run=yes'], '--dry-run takes no value'],
    [['sk_live_secret'], 'There is a word too many: quote what has spaces'],
  ])('%j is explained without repeating a value', (args, text) => {
    let problem = ''
    try {
      parseArgs({ args, options })
    } catch (error) {
      problem = optionProblem(error, options)
    }
    expect(problem).toBe(text)
  })

  it.each(['tail', 'backup', 'restore', 'restored', 'deploy/main', 'tenant', 'import'])(
    'makes scripts/%s.mjs end with 2, and --help with 0',
    (name) => {
      const run = (...args: string[]) => {
        const { status, stdout, stderr } = spawnSync(process.execPath, [`scripts/${name}.mjs`, ...args], {
          encoding: 'utf8',
        })
        return { status, output: stdout + stderr }
      }
      const command = name === 'tenant' ? ['list'] : []
      expect(run(...command, '--hlep')).toMatchObject({ status: 2, output: expect.stringContaining('--help') })
      expect(run(...command, '--help')).toMatchObject({ status: 0, output: expect.stringContaining('npm run ') })
    },
  )
})

describe('a key', () => {
  it.each([
    ['sk_live_a\nb', 'KEY contains a line break at character 10 of 11. '],
    ['sk_live_a\r', 'KEY contains a line break at character 10 of 10. '],
    ['sk_live_\u00e4', 'KEY contains a character that is not ASCII at character 9 of 9. '],
    ['sk_\u0007', 'KEY contains a control character at character 4 of 4. '],
    ['"sk_live_a"', 'KEY contains a quote at an end at character 1 of 11. '],
    ['sk_live_a ', 'KEY contains a space at an end at character 10 of 10. '],
    ['', 'KEY is empty. '],
  ])('%j is refused before anything is sent, and not repeated', (key, text) => {
    expect(keyProblem(key, 'KEY')).toBe(`${text}Copy it again, on one line and without anything around it`)
  })

  it('is taken if and only if a header can carry it', () => {
    fc.assert(
      fc.property(fc.oneof(anyText, fc.string({ minLength: 1 })), (key) => {
        if (keyProblem(key, 'KEY') !== null) return
        expect(new Headers({ 'x-api-key': key }).get('x-api-key')).toBe(key)
      }),
    )
    expect(keyProblem(`sk_live_${'a'.repeat(65)}`, 'KEY')).toBeNull()
  })
})

describe('a URL', () => {
  it.each(['https://roster.example', 'http://127.0.0.1:8787', 'http://[::1]:8787/', 'HTTPS://ROSTER.EXAMPLE'])(
    '%s is taken',
    (url) => expect(urlProblem(url)).toBeNull(),
  )

  it.each([
    ['roster.example', '--url "roster.example" has no https:// in front. '],
    ['localhost:8787', '--url "localhost:8787" has no https:// in front. '],
    ['https://', '--url "https://" is no URL. '],
    ['https://a b', '--url "https://a b" is no URL. '],
    ['https://me:secret@roster.example', '--url has a name or a password in it. '],
    ['https://roster.example/v1', '--url "https://roster.example/v1" has a path behind the host. '],
    ['https://roster.example/?a=1', '--url "https://roster.example/?a=1" has a path behind the host. '],
  ])('%s is refused', (url, text) => {
    expect(urlProblem(url)).toBe(`${text}Write it such as https://roster.example.workers.dev or http://127.0.0.1:8787`)
  })
})

describe('the Roster that a command talks to', () => {
  it('is that of --url, else of ROSTER_URL, else the one on this machine, and a wrong URL is refused by its name', () => {
    const named = { ROSTER_URL: 'https://named.example' }
    expect(rosterUrl('https://given.example', named)).toEqual({ url: 'https://given.example', problem: null })
    expect(rosterUrl(undefined, named)).toEqual({ url: 'https://named.example', problem: null })
    for (const env of [{}, { ROSTER_URL: '' }]) {
      expect(rosterUrl(undefined, env)).toEqual({ url: 'http://127.0.0.1:8787', problem: null })
    }
    expect(rosterUrl(undefined, { ROSTER_URL: 'named' }).problem).toMatch(/^ROSTER_URL "named" has no https/)
    expect(rosterUrl('given', named).problem).toMatch(/^--url "given" has no https/)
  })
})

describe('the log of npm start', () => {
  const AT_MS = Date.UTC(2026, 10, 27, 12, 3, 4, 518)
  /** Returns what is printed when the output comes in pieces of that length. */
  const printed = (output: string, length: number) => {
    const lines: string[] = []
    const log = new LocalLog((line) => lines.push(line), { clock: () => AT_MS, colours: false })
    log.push('{"level":"info","event":"before_it_is_open"}\n')
    log.open()
    for (let at = 0; at < output.length; at += length) log.push(output.slice(at, at + length))
    return lines
  }

  it.each([1, 7, 10_000])(
    'has the lines of Roster and the failures of a build, and nothing of wrangler (pieces of %i)',
    (length) => {
      const output = [
        '',
        ' ⛅️ wrangler 4.156.2',
        '───────────────────',
        '[custom build] Running: node scripts/assets.mjs',
        'Using secrets defined in .dev.vars',
        'Your Worker has access to the following bindings:',
        'Binding                Resource       Mode',
        'env.DB (roster)        D1 Database    local',
        '',
        '\u001b[33m▲ \u001b[43;33m[\u001b[43;30mWARNING\u001b[43;33m]\u001b[0m \u001b[1mScheduled Workers are not automatically triggered during local development.\u001b[0m',
        '',
        '  To manually trigger a scheduled event, run:',
        '    curl "http://127.0.0.1:8911/cdn-cgi/local/scheduled"',
        '',
        '⎔ Starting local server...',
        '[wrangler:info] Ready on http://127.0.0.1:8911',
        '[wrangler:info] GET /healthz 200 OK (21ms)',
        '{"level":"info","event":"tenant_created","requestId":"r1","tenantId":"t1"}',
        '▲ [WARNING] {"level":"warn","event":"webhook_endpoint_disabled","tenantId":"t1","mode":"live"}',
        '',
        '✘ [ERROR] Failed to drain the unused request body. TypeError: it was cancelled',
        '      at drainBody (middleware-ensure-req-body-drained.ts:9:12)',
        '',
        '✘ [ERROR] {"level":"error","event":"failed","requestId":"r2","error":"Error: a\\u001b[2Jb"}',
        '✘ [ERROR] Build failed with 1 error:',
        '  src/app.ts:3:1: ERROR: Expected ")"',
        '',
      ].join('\n')
      expect(printed(output, length)).toEqual([
        '12:03:04.518  info   tenant_created  t1  r1',
        '12:03:04.518  warn   webhook_endpoint_disabled  t1/live  -',
        '12:03:04.518  error  failed          -  r2  Error: a [2Jb',
        '✘ [ERROR] Build failed with 1 error:',
        '  src/app.ts:3:1: ERROR: Expected ")"',
      ])
    },
  )
})
