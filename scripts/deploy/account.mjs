/** Finds the account to deploy to, and the token. */
import { Stop } from './refusals.mjs'
import { captured } from './wrangler.mjs'

/**
 * Returns the token that wrangler would use: the variable, or the one of `wrangler login`. Throws `Stop` without one.
 */
export async function tokenOf() {
  if (process.env.CLOUDFLARE_API_TOKEN) return process.env.CLOUDFLARE_API_TOKEN
  const { code, stdout } = await captured(['auth', 'token', '--json'])
  const token = code === 0 ? JSON.parse(stdout).token : null
  if (token) return token
  throw new Stop(
    'Nobody is logged in to Cloudflare. Run `npx wrangler login`, or set CLOUDFLARE_API_TOKEN, then again.',
  )
}

/** Returns the id of the account to deploy to. Throws `Stop` if the token sees none, or several and none is chosen. */
export async function accountOf(api, config) {
  const chosen = process.env.CLOUDFLARE_ACCOUNT_ID ?? config.account_id
  if (chosen) return chosen
  const accounts = await api.accounts()
  if (accounts.length === 1) return accounts[0].id
  if (accounts.length === 0) throw new Stop('The token sees no account. Set CLOUDFLARE_ACCOUNT_ID.')
  const list = accounts.map(({ id, name }) => `  ${id}  ${name}`).join('\n')
  throw new Stop(`There are several accounts. Set CLOUDFLARE_ACCOUNT_ID to one of:\n${list}`)
}
