/**
 * Tests `npm run tail`: the lines of invocations as wrangler prints them, and the process itself with a `wrangler` that prints a
 * recording of a deployment.
 */
import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { Documents, linesOf } from '../../../scripts/tail-lines.ts'

const AT_MS = Date.UTC(2026, 10, 21, 12, 3, 4, 518)
const ACME = '0b6f7d0e-3f0c-4a52-9a63-6f1a5a1c2d3e'
const OTHER = '91c2aa01-3f0c-4a52-9a63-6f1a5a1c2d3e'
const REQUEST = '7f3a0c1e-0000-4000-8000-000000000001'

/** Returns an invocation as `wrangler tail --format json` prints it. */
function invocation(messages: { level: string; line: object | string }[], more: object = {}) {
  return {
    wallTime: 12,
    cpuTime: 1,
    truncated: false,
    executionModel: 'stateless',
    outcome: 'ok',
    scriptName: 'roster',
    diagnosticsChannelEvents: [],
    exceptions: [],
    logs: messages.map(({ level, line }) => ({
      message: [typeof line === 'string' ? line : JSON.stringify(line)],
      level,
      timestamp: AT_MS,
    })),
    eventTimestamp: AT_MS,
    event: {
      request: { url: 'https://roster.example/v1/customers/external/ada@example.com', method: 'GET', headers: {} },
    },
    ...more,
  }
}

const changed = {
  level: 'info',
  line: {
    level: 'info',
    event: 'changed',
    tenantId: ACME,
    mode: 'live',
    changes: [{ requestId: REQUEST, customerId: 'cust_01JD3VQ4X8N2M7R5T9W6YBZKCE', effect: 'updated', actor: 'key_1' }],
  },
}
const refused = {
  level: 'error',
  line: {
    level: 'error',
    event: 'refused',
    api: 'v1',
    reason: 'unavailable',
    status: 503,
    requestId: REQUEST,
    tenantId: OTHER,
    mode: 'test',
  },
}

describe('a line', () => {
  it('has time, level, event, tenant, request, reason, and then the rest by name', () => {
    expect(linesOf(invocation([changed, refused]))).toEqual([
      `12:03:04.518  info   changed         ${ACME}/live  ${REQUEST}  customerId=cust_01JD3VQ4X8N2M7R5T9W6YBZKCE  effect=updated  actor=key_1`,
      `12:03:04.518  error  refused         ${OTHER}/test  ${REQUEST}  unavailable  api=v1  status=503`,
    ])
  })

  it('shows that there is no tenant, and no request', () => {
    const line = { level: 'error', event: 'sweep_failed', error: 'Error: D1 is away' }
    expect(linesOf(invocation([{ level: 'error', line }]))).toEqual([
      '12:03:04.518  error  sweep_failed    -  -  Error: D1 is away',
    ])
  })

  it('is printed for an exception, and for an invocation that the platform ended', () => {
    const exceptions = [{ timestamp: AT_MS, name: 'Error', message: 'Roster cannot start' }]
    expect(linesOf(invocation([], { exceptions, outcome: 'exception' }))).toEqual([
      '12:03:04.518  error  exception       -  -  Error: Roster cannot start',
      '12:03:04.518  error  ended           -  -  exception',
    ])
    expect(linesOf(invocation([], { outcome: 'exceededCpu' }))).toEqual([
      '12:03:04.518  error  ended           -  -  exceededCpu',
    ])
    expect(linesOf(invocation([], { outcome: 'canceled' }))).toEqual([])
  })

  it('is shown unchanged when another writer logged it', () => {
    const lines = linesOf(
      invocation([
        { level: 'log', line: 'two words' },
        { level: 'warn', line: '{not json' },
      ]),
    )
    expect(lines).toEqual([
      '12:03:04.518  info   log             -  -  two words',
      '12:03:04.518  warn   log             -  -  {not json',
    ])
  })

  it('stays one line without control characters', () => {
    const line = { level: 'error', event: 'failed', error: 'a\nb\u001b[2Jc', requestId: REQUEST }
    expect(linesOf(invocation([{ level: 'error', line }]))).toEqual([
      `12:03:04.518  error  failed          -  ${REQUEST}  a b [2Jc`,
    ])
  })

  it('omits the path of the request, which may contain an e-mail address', () => {
    expect(linesOf(invocation([changed], { outcome: 'exceededCpu' })).join()).not.toContain('ada@example.com')
  })

  it('has colours only where they are requested', () => {
    expect(linesOf(invocation([refused]), { colours: true })[0]).toContain('\u001b[31merror\u001b[0m')
    expect(linesOf(invocation([refused]))[0]).not.toContain('\u001b')
  })
})

describe('filters', () => {
  it('keeps with --tenant the lines of the tenant whose id begins so', () => {
    expect(linesOf(invocation([changed, refused]), { tenant: '91c2' })).toHaveLength(1)
    expect(linesOf(invocation([changed], { outcome: 'exceededCpu' }), { tenant: '91c2' })).toEqual([])
  })

  it('keeps with --errors the lines of level error', () => {
    expect(linesOf(invocation([changed, refused]), { errors: true })).toEqual([expect.stringContaining('refused')])
  })
})

it('finds the documents however the stream is cut, and keeps the lines between them', () => {
  const all = [invocation([changed]), invocation([refused])]
  const stream = `Connected to roster\n${JSON.stringify(all[0], null, 2)}\n${JSON.stringify(all[1])}\n{broken}\n`
  for (const size of [1, 7, 100, stream.length]) {
    const found: unknown[] = []
    const others: string[] = []
    const documents = new Documents(
      (one: unknown) => found.push(one),
      (line: string) => others.push(line),
    )
    for (let at = 0; at < stream.length; at += size) documents.push(stream.slice(at, at + size))
    expect([found, others]).toEqual([all, ['Connected to roster', '{broken}']])
  }
})

describe('the process', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'roster-tail-'))
  afterAll(() => rmSync(folder, { recursive: true }))

  /** Runs the command with a `wrangler` that prints two invocations and its arguments, and ends with `exitCode`. */
  async function run(args: string[], exitCode = 0) {
    const printed = [changed, refused].map((one) => JSON.stringify(invocation([one]), null, 2)).join('\n')
    const wrangler = path.join(folder, 'wrangler')
    writeFileSync(path.join(folder, 'printed'), `${printed}\n`)
    writeFileSync(wrangler, `#!/bin/sh\necho "arguments: $*" >&2\ncat ${folder}/printed\nexit ${exitCode}\n`)
    chmodSync(wrangler, 0o755)
    const env = { ...process.env, PATH: `${folder}:${process.env.PATH}` }
    const child = spawn(process.execPath, ['scripts/tail.mjs', ...args], { env })
    let out = ''
    let err = ''
    child.stdout.on('data', (text) => (out += text))
    child.stderr.on('data', (text) => (err += text))
    const code = await new Promise((resolve) => child.on('close', resolve))
    return { code, out: out.trimEnd().split('\n'), err }
  }

  it('prints the lines as they come, without colours where there is no terminal', async () => {
    const { code, out, err } = await run([])
    expect(code).toBe(0)
    expect(out).toEqual([expect.stringContaining('changed'), expect.stringContaining('refused')])
    expect(out.join()).not.toContain('\u001b')
    expect(err).toContain('arguments: tail --format json')
  })

  it('takes an environment, a tenant and --errors', async () => {
    const { out, err } = await run(['--env', 'staging', '--tenant', OTHER.slice(0, 8).toUpperCase(), '--errors'])
    expect(out).toEqual([expect.stringContaining(OTHER)])
    expect(err).toContain('arguments: tail roster-staging --format json')
  })

  it('ends as wrangler ends', async () => {
    expect((await run([], 3)).code).toBe(3)
  })

  it('prints its usage for an unknown option', async () => {
    const { code, err } = await run(['--tenants', 'x'])
    expect(code).toBe(2)
    expect(err).toContain('npm run tail -- [options]')
  })
})
