/** Makes the secrets of a first deployment. One that is set is never read and never overwritten. */
import { randomBytes } from 'node:crypto'
import { report } from './provision.mjs'

const SECRET_BYTES = 32

/** Returns new values for the secrets that are not set, by their names. */
export async function missingSecrets(api, worker, required) {
  const set = await api.secretNames(worker)
  const missing = required.filter((name) => !set.includes(name))
  for (const name of required) report('secret', name, missing.includes(name) ? 'will be made' : 'found')
  return Object.fromEntries(missing.map((name) => [name, randomBytes(SECRET_BYTES).toString('hex')]))
}

/**
 * Prints the secrets that arrived. Runs after a failed deployment too: the version may be there, and they would be
 * lost.
 */
export async function showSecrets(api, worker, secrets) {
  const set = await api.secretNames(worker)
  const made = Object.entries(secrets).filter(([name]) => set.includes(name))
  if (made.length === 0) return
  const lines = made.map(([name, value]) => `  ${name.padEnd(16)} ${value}`).join('\n')
  console.log(
    `\nMade for ${worker} and shown this once. Keep them: nobody can read them back, and a rotation needs the old value.\n\n${lines}`,
  )
  if (secrets.ADMIN_KEYS)
    console.log('\nADMIN_KEYS is the first admin key: `export ROSTER_ADMIN_KEY=` it for `npm run tenant`.')
}
