/** The configuration with which a local Roster is served, where that of wrangler.toml does not do. */
import { readFileSync, writeFileSync } from 'node:fs'
import { parse as parseToml } from 'smol-toml'
import { withFurther, withJurisdiction } from './environment.mjs'

/**
 * Returns the arguments of wrangler that bind so many databases, and leave KV out as in a jurisdiction (null for none). Wrangler has no
 * options for it, so they are in a file beside wrangler.toml, because the paths in it and .dev.vars are looked for where the
 * configuration is. What it contains follows from its name and wrangler.toml, so several may be served at once.
 */
export function localConfigOf(databases, jurisdiction = null) {
  if (databases === 1 && jurisdiction === null) return []
  const base = parseToml(readFileSync('wrangler.toml', 'utf8'))
  const file = `.wrangler-${databases}-databases${jurisdiction === null ? '' : `-${jurisdiction}`}.json`
  const config = withJurisdiction({ ...base, d1_databases: withFurther(base.d1_databases, databases) }, jurisdiction)
  writeFileSync(file, `${JSON.stringify(config, null, 2)}\n`)
  return [`--config=${file}`]
}
