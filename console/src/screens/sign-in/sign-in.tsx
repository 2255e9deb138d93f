/**
 * The way in: a key, or the link of an invitation.
 */
import { Button } from '@cloudflare/kumo/components/button'
import { SensitiveInput } from '@cloudflare/kumo/components/sensitive-input'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { hasSessionEnded } from '../../api/credential.ts'
import { dropInvitation, invitation } from '../../api/invitation.ts'
import { signInWithKey, signInWithToken } from '../../api/session.ts'
import { Failure } from '../../parts/states.tsx'

export function SignIn({ isInvited }: { isInvited: boolean }) {
  const queries = useQueryClient()
  const router = useRouter()
  const [token, setToken] = useState(isInvited ? invitation() : null)
  const [key, setKey] = useState('')
  const [hasEnded] = useState(hasSessionEnded)
  useEffect(() => {
    document.title = 'Sign in · Roster'
  }, [])
  const enter = useMutation({
    mutationFn: () => (token === null ? signInWithKey(queries, key.trim()) : signInWithToken(queries, token)),
    onSuccess: () => {
      if (isInvited) router.history.replace('/console/')
    },
    onSettled: () => {
      dropInvitation()
      setToken(null)
    },
  })
  return (
    <main className="grid min-h-dvh place-items-center bg-kumo-canvas px-4">
      <div className="w-full max-w-md rounded-xl bg-kumo-base p-7 shadow-xs ring ring-kumo-line">
        <div className="mb-6 flex items-center gap-3">
          <img src="/console/icon.svg" alt="" width="36" height="36" />
          <div>
            <h1 className="text-lg font-semibold">Roster</h1>
            <p className="text-kumo-subtle">{window.location.host}</p>
          </div>
        </div>
        <form
          className="space-y-4"
          onSubmit={(event) => {
            event.preventDefault()
            if (!enter.isPending) enter.mutate()
          }}
        >
          {hasEnded && (
            <p role="status">Your session has ended. Sign in again to go on: this page and what you typed are kept.</p>
          )}
          {token !== null ? (
            <p>You were invited with a link that works once. Signing in uses it up.</p>
          ) : (
            <SensitiveInput
              label="Key"
              description="Your operator key (ok_…), an admin key, or your company’s API key (sk_…)."
              value={key}
              autoFocus
              autoComplete="current-password"
              onChange={(event) => setKey(event.target.value)}
            />
          )}
          <Failure error={enter.error} />
          <Button
            type="submit"
            variant="primary"
            className="w-full justify-center"
            loading={enter.isPending}
            disabled={token === null && key.trim() === ''}
          >
            Sign in
          </Button>
        </form>
        <p className="mt-6 text-sm text-kumo-subtle">
          {token === null && (
            <>
              No key? An owner invites you by a link: <code className="font-mono">npm run operator -- link</code>. An
              API key stays in this tab.{' '}
            </>
          )}
          An operator’s session ends after twelve hours.
        </p>
      </div>
    </main>
  )
}
