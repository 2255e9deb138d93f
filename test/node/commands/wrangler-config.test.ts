/** Tests what commands make of wrangler.toml. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { parse } from 'smol-toml'
import { expect, it } from 'vitest'

const SCRIPT = `
  import { readFileSync } from 'node:fs'
  import { parse } from 'smol-toml'
  import { configOf } from './scripts/environment.mjs'
  const base = parse(readFileSync('wrangler.toml', 'utf8') + process.argv[1])
  const shown = [null, 'staging'].map((name) => configOf(base, name, '.'))
  console.log(JSON.stringify(shown.map(({ name, tail_consumers }) => ({ name, tail_consumers }))))`

it('deploys another environment without the alerts of production', () => {
  const more = '\n[[tail_consumers]]\nservice = "roster-alerts"\n'
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', SCRIPT, more], { encoding: 'utf8' })
  expect(JSON.parse(output)).toEqual([
    { name: 'roster', tail_consumers: [{ service: 'roster-alerts' }] },
    { name: 'roster-staging' },
  ])
})

it('reloads the Worker under npm start when its code changes', () => {
  // With a build command of its own, wrangler watches these folders and no imported file.
  const { main, build } = parse(readFileSync('wrangler.toml', 'utf8')) as {
    main: string
    build: { watch_dir: string[] }
  }
  expect(build.watch_dir).toContain(main.split('/')[0])
})
