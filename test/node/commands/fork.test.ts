/** Runs the git commands of docs/operations/versions.md, as they stand there, in a repository of two versions. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { commandsOf } from '../support/commands-of.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'roster-fork-'))
const [upstream, fork] = ['upstream', 'fork'].map((name) => path.join(folder, name)) as [string, string]
const commands = commandsOf(readFileSync('docs/operations/versions.md', 'utf8'))
  .map(({ text }) => text)
  .filter((text) => text.startsWith('git '))

afterAll(() => rmSync(folder, { recursive: true }))

function sh(command: string, cwd: string): string {
  const author = { GIT_AUTHOR_NAME: 'A', GIT_AUTHOR_EMAIL: 'a@example.com' }
  const committer = { GIT_COMMITTER_NAME: 'A', GIT_COMMITTER_EMAIL: 'a@example.com' }
  const env = { PATH: process.env.PATH ?? '', HOME: folder, ...author, ...committer }
  return execFileSync('sh', ['-euc', command], { cwd, env, encoding: 'utf8', stdio: 'pipe' })
}

/** Makes a commit of the upstream: its code has its version, and each version adds a migration. */
function release(version: string): string {
  writeFileSync(path.join(upstream, 'code.txt'), version)
  writeFileSync(path.join(upstream, 'migrations', `${version}.sql`), '')
  sh(`git add -A && git commit -qm ${version}`, upstream)
  return sh('git rev-parse HEAD', upstream).trim()
}

it('merges a release into a fork, and takes older code with the migrations of the newer', () => {
  expect(commands).toHaveLength(3)
  const [takeOlder = '', addRemote = '', merge = ''] = commands
  mkdirSync(path.join(upstream, 'migrations'), { recursive: true })
  sh('git init -q -b main', upstream)
  const old = release('0001')
  sh(`git clone -q ${upstream} fork`, folder)
  writeFileSync(path.join(fork, 'mine.txt'), 'mine')
  sh('git add -A && git commit -qm mine', fork)
  const newer = release('0002')

  sh(addRemote.replace(/https:\S+/, upstream), fork)
  sh(merge.replace('git merge', 'git merge --no-edit'), fork)
  expect(
    readdirSync(fork)
      .filter((name) => name !== '.git')
      .sort(),
  ).toEqual(['code.txt', 'migrations', 'mine.txt'])
  expect(readFileSync(path.join(fork, 'code.txt'), 'utf8')).toBe('0002')

  sh(takeOlder.replace('OLD', old).replace('NEW', newer).replace(' && npm run deploy', ''), fork)
  expect(readFileSync(path.join(fork, 'code.txt'), 'utf8')).toBe('0001')
  expect(readdirSync(path.join(fork, 'migrations')).sort()).toEqual(['0001.sql', '0002.sql'])
})
