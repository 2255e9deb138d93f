/** Waits until a deployed Roster answers. */
import { Stop } from './refusals.mjs'

/** DNS and the certificate of a new workers.dev name take minutes. */
const TIMEOUT_MS = 180_000
const POLL_MS = 2_000
const CALL_TIMEOUT_MS = 10_000

/** Statuses of Cloudflare itself for a name that does not lead to the Worker yet. */
const NAME_NOT_THERE_YET = [404, 522, 523, 525, 526, 530]

/**
 * Waits until `/readyz` of `url` answers 200, and returns true. If nothing answers under that name in three minutes, says so and
 * returns false: the version of `worker` is deployed. Throws `Stop` if Roster answers and is not ready. The options are for tests.
 */
export async function ready(url, worker, { timeoutMs = TIMEOUT_MS, pollMs = POLL_MS } = {}) {
  console.log(`\nWaiting for ${url}/readyz …`)
  const deadline = Date.now() + timeoutMs
  for (;;) {
    const { status, text } = await ask(new URL('/readyz', url))
    if (status === 200) break
    if (Date.now() >= deadline) {
      giveUp(url, worker, status, text)
      return false
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs))
  }
  console.log(`\nRoster is served on ${url}. The reference: ${url}/docs`)
  return true
}

/** Returns the status and the body, or a null status and why there was no response. */
async function ask(url) {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(CALL_TIMEOUT_MS) })
    return { status: answer.status, text: await answer.text() }
  } catch (error) {
    return { status: null, text: error.cause?.message ?? error.message }
  }
}

function giveUp(url, worker, status, text) {
  const last = `${status ?? ''} ${text.slice(0, 500)}`.trim()
  if (status === null || NAME_NOT_THERE_YET.includes(status)) {
    console.log(
      `\nDeployed, but not ready yet: nothing answers under ${url} (last: ${last}). That is not a failed deployment. A new workers.dev name or domain takes minutes until its DNS and its certificate are everywhere. Look again with \`curl ${url}/readyz\`.`,
    )
    return
  }
  throw new Stop(
    `Deployed, but Roster is not ready: ${url}/readyz answers ${last}. The body names what is missing. \`npm run tail -- --errors\` shows why; \`npx wrangler rollback --name ${worker}\` goes back to the version before.`,
  )
}
