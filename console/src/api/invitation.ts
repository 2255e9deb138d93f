/**
 * The token of a sign-in link. It stands in the fragment of the address, which browsers send to nobody. It is taken out
 * before the router looks at the address, so that neither the history nor a bookmark keeps it.
 */
let token = taken()

function taken(): string | null {
  const found = new URLSearchParams(window.location.hash.slice(1)).get('token')
  if (found !== null) window.history.replaceState(null, '', window.location.pathname)
  return found
}

/** Returns the token that the page was opened with, or null. */
export function invitation(): string | null {
  return token
}

/** Forgets the token: it has been used, or it does not work. */
export function dropInvitation(): void {
  token = null
}
