/** The check of `scripts/check-prose.mjs`: which phrases it finds, and where. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findingsIn } from '../../../scripts/prose-rules.ts'

const found = (file: string, text: string) => findingsIn(file, text).map(({ line, found }) => `${line} ${found}`)

describe('the rules', () => {
  it.each([
    ['a.md', 'It can not wait.', ['1 can not']],
    ['a.ts', '/**\n * This can\n * not wait.\n */', ['2 can not']],
    ['a.ts', '// This can\n// not wait.', ['1 can not']],
    ['a.md', 'It can not only wait, it cannot fail.', []],
    ['a.ts', 'const toldAtMs = isTold(untold, goldToldenrod)', ['1 told', '1 Told']],
    [
      'a.md',
      'We mend it; he mended, mends and is mending it. Amend and recommend it.',
      ['1 mend', '1 mended', '1 mends', '1 mending'],
    ],
    ['a.ts', "log({ door, doors: allDoors, indoors: 'outdoor' })", ['1 door', '1 doors', '1 Doors']],
    [
      'a.md',
      'Whoever asks, and whoever speaks a dialect or many dialects.',
      ['1 Whoever', '1 whoever', '1 dialect', '1 dialects'],
    ],
    [
      'a.ts',
      '// Bad weather (seed 002, seeds 003): one seat, wiring/edge.ts, seats: 3',
      ['1 weather', '1 seat', '1 wiring', '1 seed 002', '1 seeds 003'],
    ],
  ])('find refused words in %s: %j', (file, text, expected) => {
    expect(found(file, text)).toEqual(expected)
  })

  it.each([
    ['a.ts', '/** What is kept. */', ['1 What …']],
    ['a.ts', '/** Null for an unknown id. */', ['1 Null for …']],
    ['a.ts', '/** Null: not known yet. */', ['1 Null: …']],
    ['a.ts', '/** Nullable ids are kept. Of these, none is null for long. */', []],
    ['a.ts', '  /**\n   * Of the newest lease.\n   */', ['2 Of …']],
    ['a.ts', '  /**\n   * Returns the bucket\n   * of the newest lease,\n   * What follows is no start.\n   */', []],
    ['a.ts', 'let a = 1 // Who asked last.\n// What it was.\n// Of these two, one start.', ['1 Who …', '2 What …']],
    ['a.ts', "const url = 'https://What.example'", []],
    ['a.sql', 'SELECT 1;\n-- What is counted.\n-- None of it twice.', ['2 What …']],
    ['a.toml', 'a = 1\n# Whose it is.', ['2 Whose …']],
    ['.ci/run', 'set -e\n# What CI runs.', ['2 What …']],
    ['a.md', '# What it costs\n\nOf these, one.', []],
  ])('find starts of comments without a subject in %s: %j', (file, text, expected) => {
    expect(found(file, text)).toEqual(expected)
  })

  it.each([
    ["it('a keyed restore is replayed', () => {", ['1 a …']],
    ["  it.each(pages)('every command of %s works', () => {", ['1 every …']],
    ["])('what is wrong is named: %s', () => {", ['1 what …']],
    ["it('a-records are resolved', () => {})", []],
    ["it('returns 404 for the second delete', () => {", []],
    ["describe('a keyed restore', () => {", []],
  ])('find names of tests that start with no verb: %s', (line, expected) => {
    expect(found('some.test.ts', line)).toEqual(expected)
    expect(found('some.ts', line)).toEqual([])
  })

  it('say what to write instead', () => {
    for (const { instead } of findingsIn('a.test.ts', "// Of a door\nit('the end', run)")) expect(instead).not.toBe('')
  })
})

describe('node scripts/check-prose.mjs', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'roster-prose-'))
  const check = (...args: string[]) => {
    const run = spawnSync(process.execPath, [path.resolve('scripts/check-prose.mjs'), ...args], { cwd: folder })
    return { status: run.status, output: `${run.stdout}${run.stderr}` }
  }

  beforeAll(() => {
    for (const name of ['src', 'test', 'node_modules/x']) mkdirSync(path.join(folder, name), { recursive: true })
    writeFileSync(path.join(folder, 'src/a.ts'), 'export const a = 1\n/** Of a door. */\nexport const b = 2\n')
    writeFileSync(path.join(folder, 'node_modules/x/index.js'), '// A door.\n')
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  it('fails for a file that has one, and names file, line and replacement', () => {
    const { status, output } = check()
    expect(status).toBe(1)
    expect(output).toContain('src/a.ts:2  "door": API')
    expect(output).toContain('src/a.ts:2  "Of …": start with a verb or a noun')
    expect(output).not.toContain('node_modules')
  })

  it('looks at the folders that it is given only', () => {
    expect(check('src').status).toBe(1)
    expect(check('test')).toEqual({ status: 0, output: '' })
  })
})
