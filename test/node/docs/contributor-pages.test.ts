/** Compares the pages for contributors with the code: paths, commands, layers, versions, releases. */
import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import packageJson from '../../../package.json'

const pages = [
  ...['CONTRIBUTING.md', 'AGENTS.md', 'SECURITY.md', 'test/README.md', '.changeset/README.md'],
  ...globSync(['design/*.md', '.github/**/*.md']),
]
const workflows = globSync('.github/workflows/*.yml')
const textOf = (file: string) => readFileSync(file, 'utf8')

/** The code spans of a page that are paths of this repository, without a glob's last part. */
function pathsIn(page: string): string[] {
  const spans = [...textOf(page).matchAll(/`([^`\n]+)`/g)].map(([, span = '']) => span)
  return spans.filter((span) =>
    /^(\.ci|\.github|src|test|scripts|openapi|design|docs|bench|migrations|public)\/[\w./-]+$/.test(span),
  )
}

/** The first column of the table that follows a heading of a page, without backticks. */
function tableAfter(page: string, heading: string): string[] {
  const section = textOf(page).split(`\n${heading}\n`)[1]?.split(/^#/m)[0] ?? ''
  return [...section.matchAll(/^\| `([^`]+)`/gm)].map(([, cell = '']) => cell)
}

describe.each(pages)('%s', (page) => {
  it('names paths and links to files that exist', () => {
    const links = [...textOf(page).matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)].map(([, link = '']) =>
      path.join(path.dirname(page), link),
    )
    expect([...pathsIn(page), ...links].filter((name) => !existsSync(name))).toEqual([])
  })

  it('names npm scripts that exist', () => {
    const named = [...textOf(page).matchAll(/\bnpm run (?:--silent )?([a-z:]+)/g)].map(([, script = '']) => script)
    expect(named.filter((script) => !(script in packageJson.scripts))).toEqual([])
  })
})

it('finds the paths of a page', () => {
  expect(pathsIn('CONTRIBUTING.md').length).toBeGreaterThan(40)
})

describe('CONTRIBUTING.md', () => {
  it('lists the layers in the order that biome enforces', () => {
    const { overrides } = JSON.parse(textOf('biome.json'))
    const lowest = overrides.find(({ includes }: { includes: string[] }) => includes[0] === 'src/shared/**')
    const { group } = lowest.linter.rules.style.noRestrictedImports.options.patterns[0]
    const above = group.map((glob: string) => glob.replace(/^\*\*\/|\/\*\*$/g, ''))
    expect(tableAfter('CONTRIBUTING.md', '## Layers')).toEqual(['shared', ...above])
  })
})

describe('test/README.md', () => {
  it.each([
    ['workers', '## In a Worker'],
    ['node', '## In Node'],
  ])('lists every folder of test/%s', (project, heading) => {
    const folders = readdirSync(`test/${project}`, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    const expected = folders.map(({ name }) => name).filter((name) => name !== 'support')
    expect(tableAfter('test/README.md', heading)).toEqual(expected.sort())
  })
})

describe('design/README.md', () => {
  it('lists every record, and each has the four parts in at most 60 lines', () => {
    const records = readdirSync('design').filter((name) => name !== 'README.md')
    const listed = [...textOf('design/README.md').matchAll(/^\| \[(.+?)\]/gm)].map(([, name = '']) => name)
    expect(listed.sort()).toEqual(records.sort())
    for (const record of records) {
      const text = textOf(`design/${record}`)
      const parts = [...text.matchAll(/^## (.+)$/gm)].map(([, part]) => part)
      expect([record, parts]).toEqual([record, ['Problem', 'Decision', 'Trade-offs', 'What would end it']])
      expect(text.split('\n').length).toBeLessThanOrEqual(61)
    }
  })
})

describe('the versions', () => {
  it('use one Node everywhere', () => {
    expect(textOf('.nvmrc').trim()).toBe(packageJson.devDependencies.node)
  })

  it('are one for each large tool, because a second one would be installed beside it', () => {
    const { packages } = JSON.parse(textOf('package-lock.json'))
    const installed = (name: string) => Object.keys(packages).filter((key) => key.endsWith(`node_modules/${name}`))
    for (const name of ['esbuild', 'workerd', 'wrangler', 'miniflare', 'typescript', '@biomejs/biome']) {
      expect(installed(name)).toEqual([`node_modules/${name}`])
    }
  })

  it('are exact for every dependency', () => {
    const all = { ...packageJson.dependencies, ...packageJson.devDependencies }
    expect(Object.entries(all).filter(([, version]) => !/^(npm:.+@)?\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))).toEqual(
      [],
    )
  })

  it.each(workflows)('pin every action of %s, which may only read by default', (file) => {
    const text = textOf(file)
    const actions = [...text.matchAll(/uses: (.+)$/gm)].map(([, action = '']) => action)
    expect(actions.length).toBeGreaterThan(0)
    expect(actions.filter((action) => !/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d/.test(action))).toEqual([])
    expect(text).toMatch(/^permissions:\n {2}contents: read\n/m)
    expect(text).toContain('.ci/run')
  })
})

describe('a release', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'roster-release-'))
  const at = (name: string) => path.join(folder, name)
  const notesOf = (tag: string) => {
    const run = spawnSync(process.execPath, [path.resolve('scripts/release-notes.mjs'), tag], { cwd: folder })
    return { status: run.status, stdout: `${run.stdout}`, stderr: `${run.stderr}` }
  }
  const changeset = (...args: string[]) => {
    const bin = path.resolve('node_modules/@changesets/cli/bin.js')
    const run = spawnSync(process.execPath, [bin, ...args], { cwd: folder })
    expect({ status: run.status, stderr: `${run.stderr}` }).toEqual({ status: 0, stderr: '' })
  }

  beforeAll(() => {
    mkdirSync(at('public'))
    mkdirSync(at('.changeset'))
    for (const name of ['.changeset/config.json', 'CHANGELOG.md']) cpSync(name, at(name))
    writeFileSync(at('package.json'), JSON.stringify({ name: 'roster', version: '0.1.0', private: true }))
    writeFileSync(at('public/openapi.json'), JSON.stringify({ info: { version: '0.1.0' } }))
    const git = ['-c', 'user.name=a', '-c', 'user.email=a@example.com']
    for (const args of [
      ['init', '-q', '-b', 'main'],
      ['add', '.'],
      [...git, 'commit', '-qm', 'Start'],
    ]) {
      expect(spawnSync('git', args, { cwd: folder }).status).toBe(0)
    }
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  it('has the notes of its section and of no other', () => {
    const { status, stdout } = notesOf('v0.1.0')
    expect(status).toBe(0)
    expect(stdout).toContain('The first release.')
    expect(stdout).not.toMatch(/^## /m)
  })

  it('is refused for a tag that is not its version', () => {
    expect(notesOf('v0.2.0')).toMatchObject({ status: 1, stdout: '' })
    expect(notesOf('')).toMatchObject({ status: 1, stdout: '' })
  })

  it('collects the changesets above the releases before, and needs the documented version raised, too', () => {
    writeFileSync(at('.changeset/one.md'), "---\n'roster': minor\n---\n\nLists take `created_after`.\n")
    changeset('version')
    expect(JSON.parse(readFileSync(at('package.json'), 'utf8')).version).toBe('0.2.0')
    expect(existsSync(at('.changeset/one.md'))).toBe(false)
    expect(notesOf('v0.2.0').stderr).toContain('npm run openapi')
    writeFileSync(at('public/openapi.json'), JSON.stringify({ info: { version: '0.2.0' } }))
    expect(notesOf('v0.2.0').stdout).toContain('Lists take `created_after`.')
    expect(notesOf('v0.2.0').stdout).not.toContain('The first release.')
    const headings = [...readFileSync(at('CHANGELOG.md'), 'utf8').matchAll(/^#+ .*$/gm)].map(([line]) => line)
    expect(headings.slice(0, 4)).toEqual(['# Changes', '## 0.2.0', '### Minor Changes', '## 0.1.0'])
  })
})
