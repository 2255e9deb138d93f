/* The reference page. The viewer asks no other host for anything; the content security policy in `_headers` holds it to
   that. */
const reference = document.getElementById('reference')

/** Fills in the credentials of the demo tenant of `npm start`. A deployment serves null instead. */
async function useDemoKeys() {
  const keys = await (await fetch('/demo-keys.json')).json()
  for (const [credential, token] of Object.entries(keys ?? {})) {
    reference.setAuthenticationConfiguration(credential, { token })
  }
}

reference.addEventListener('spec-loaded', useDemoKeys)
// The receiver of a webhook is not this deployment, so there is nothing to try.
reference.addEventListener('event', ({ detail }) => {
  if (detail.type === 'OperationChanged') reference.hideExecution = detail.operation?.isWebhook ?? false
})
reference.setAttribute('spec-url', '/openapi.json')
