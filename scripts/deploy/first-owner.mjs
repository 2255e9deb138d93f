/** Makes the first operator of a new deployment: an owner, with a link that signs in to the console once. */
import { plainText } from '../../src/shared/shown-text.ts'

const CALL_TIMEOUT_MS = 10_000

/**
 * Adds the owner with this address and prints its sign-in link. Prints the command for it if there is no address or Roster refuses:
 * the deployment itself has succeeded.
 */
export async function showFirstSignIn(url, adminKey, email) {
  const problem = email === null ? 'Cloudflare does not say whose token this is' : await signInOf(url, adminKey, email)
  if (problem === null) return
  console.log(`
There is no operator yet: ${plainText(problem)}. This makes the first one, with a link that signs in to the console once:

  ROSTER_URL=${url} npm run operator -- add you@example.com --role owner`)
}

/** Prints the link. Returns why there is none, or null. */
async function signInOf(url, adminKey, email) {
  const post = (path, body) => send(new URL(path, url), adminKey, body)
  try {
    const operator = await post('/admin/operators', { name: email, email, role: 'owner' })
    const link = await post(`/admin/operators/${operator.operator_id}/sign_in_links`)
    console.log(`
${plainText(email)} is the first operator, an owner. Open this to sign in to the console. It works once, within an hour:

  ${plainText(link.url)}`)
    return null
  } catch (error) {
    return error.message
  }
}

async function send(url, adminKey, body) {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'x-api-key': adminKey, ...(body && { 'content-type': 'application/json' }) },
    ...(body && { body: JSON.stringify(body) }),
    signal: AbortSignal.timeout(CALL_TIMEOUT_MS),
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${url.pathname} answered ${answer.status}`)
  return JSON.parse(text)
}
