/** Runs the wrangler of node_modules, for one account, with a generated configuration. */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'

const BINARY = path.resolve('node_modules/wrangler/bin/wrangler.js')

/**
 * Writes the configuration to a folder of its own, which git ignores, calls `use(folder, file)`, and removes the
 * folder. Returns the result.
 */
export async function inFolder(config, use) {
  mkdirSync('.wrangler', { recursive: true })
  const folder = mkdtempSync(`.wrangler/deploy-${process.pid}-`)
  try {
    const file = path.join(folder, 'wrangler.json')
    writeFileSync(file, JSON.stringify(config, null, 2))
    return await use(folder, file)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/**
 * Runs wrangler in the operator's terminal. Returns `{code, lines}`: the exit code, and what wrangler wrote about its
 * work (objects with a `type`; a failure is `{type: 'command-failed', code, message}`). Secrets are passed in `stdin`.
 */
export async function shown(args, { account, folder, stdin }) {
  const written = path.resolve(folder, 'output.ndjson')
  rmSync(written, { force: true })
  const command = [process.execPath, BINARY, ...args]
  // Node's own pipe would be a socket, which /dev/stdin cannot open.
  const [file, ...rest] = stdin === undefined ? command : ['sh', '-c', 'cat | "$@"', 'sh', ...command]
  const code = await new Promise((resolve, reject) => {
    const child = spawn(file, rest, {
      stdio: [stdin === undefined ? 'inherit' : 'pipe', 'inherit', 'inherit'],
      env: { ...process.env, CLOUDFLARE_ACCOUNT_ID: account, WRANGLER_OUTPUT_FILE_PATH: written },
    })
    child.on('error', reject)
    child.on('exit', resolve)
    child.stdin?.end(stdin)
  })
  const text = existsSync(written) ? readFileSync(written, 'utf8') : ''
  return {
    code,
    lines: text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line)),
  }
}

/**
 * Runs wrangler without a terminal. Returns `{code, stdout, output}`; `output` has what it wrote to stderr too, and
 * `onOutput` is called with it whenever it has grown. Ends wrangler when `signal` is aborted, and returns once it has
 * ended.
 */
export function captured(args, account, { signal, onOutput } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [BINARY, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, CI: '1', ...(account && { CLOUDFLARE_ACCOUNT_ID: account }) },
    })
    let [stdout, output] = ['', '']
    child.stdout.on('data', (chunk) => (stdout += chunk))
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (chunk) => {
        output += chunk
        onOutput?.(output)
      })
    }
    const end = () => child.kill('SIGTERM')
    signal?.addEventListener('abort', end)
    if (signal?.aborted) end()
    child.on('error', reject)
    child.on('close', (code) => {
      signal?.removeEventListener('abort', end)
      resolve({ code, stdout, output })
    })
  })
}
