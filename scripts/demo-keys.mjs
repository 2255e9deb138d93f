/**
 * The keys of the demo tenant in `public/`, where the reference page of `npm start` reads them to fill in its
 * credentials. They are keys of a local database. Every other build, so every deployment, replaces them with null.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'

const fileIn = (folder) => path.join(folder, 'demo-keys.json')

/** Gives the reference page the credentials, by the names that the OpenAPI document gives them. */
export function showDemoKeys({ tenantId, liveKey, adminKey }, folder = 'public') {
  write(folder, { key: liveKey, account: `${tenantId}:${liveKey}`, adminKey })
}

/** Forgets the keys unless they are those of `npm start`, which writes them when the demo tenant exists. */
export function prepareDemoKeys(isDemo, folder = 'public') {
  if (!isDemo || !existsSync(fileIn(folder))) write(folder, null)
}

/** Writes only what differs, because wrangler serves anew after each write. */
function write(folder, keys) {
  const file = fileIn(folder)
  const text = `${JSON.stringify(keys)}\n`
  if (!existsSync(file) || readFileSync(file, 'utf8') !== text) writeFileSync(file, text)
}
