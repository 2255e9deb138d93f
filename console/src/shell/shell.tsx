/**
 * The frame of every screen: navigation, the band of the test mode, the keyboard. Shows the sign-in to a caller that is not
 * signed in.
 */

import { Sidebar } from '@cloudflare/kumo/components/sidebar'
import { Toasty } from '@cloudflare/kumo/components/toast'
import { TooltipProvider } from '@cloudflare/kumo/components/tooltip'
import { CSPProvider } from '@cloudflare/kumo/primitives/csp-provider'
import { LinkProvider } from '@cloudflare/kumo/utils'
import { useQuery } from '@tanstack/react-query'
import { Outlet, useRouterState } from '@tanstack/react-router'
import { lazy, Suspense, useEffect, useRef } from 'react'
import { meQuery } from '../api/me.ts'
import { ErrorState } from '../parts/states.tsx'
import { AppLink } from './app-link.tsx'
import { Keyboard } from './keyboard.tsx'
import { ModeBand } from './mode-band.tsx'
import { Navigation, TopBar } from './navigation.tsx'

const SignIn = lazy(() =>
  import('../screens/sign-in/sign-in.tsx').then(({ SignIn: component }) => ({ default: component })),
)
const NARROW_BELOW_PX = 768

export function Shell() {
  return (
    // Base UI would add style elements, which the page's policy forbids.
    <CSPProvider disableStyleElements>
      <LinkProvider component={AppLink}>
        <TooltipProvider>
          <Toasty>
            <Inside />
          </Toasty>
        </TooltipProvider>
      </LinkProvider>
    </CSPProvider>
  )
}

function Inside() {
  const { data: me, error, isPending, refetch } = useQuery(meQuery)
  const isInvited = useRouterState({ select: ({ location }) => location.pathname.endsWith('/sign-in') })
  if (isPending) return null
  if (error && me === undefined) return <ErrorState error={error} onRetry={() => refetch()} />
  if (!me || isInvited) {
    return (
      <Suspense fallback={null}>
        <SignIn isInvited={isInvited} />
      </Suspense>
    )
  }
  return (
    <Sidebar.Provider mobileBreakpoint={NARROW_BELOW_PX} defaultOpen collapsible="offcanvas">
      <a href="#content" className="sr-only focus:not-sr-only focus:absolute focus:z-50 focus:bg-kumo-base focus:p-3">
        Skip to the content
      </a>
      <Navigation />
      <div className="flex min-h-dvh min-w-0 flex-1 flex-col bg-kumo-canvas">
        <TopBar />
        <ModeBand />
        <Content />
      </div>
      <Keyboard />
    </Sidebar.Provider>
  )
}

/** Gets the focus when another screen opens, so that a reader begins at its top. A field that took it keeps it. */
function Content() {
  const main = useRef<HTMLElement>(null)
  const pathname = useRouterState({ select: ({ location }) => location.pathname })
  // biome-ignore lint/correctness/useExhaustiveDependencies: runs when the path changes
  useEffect(() => {
    const focused = document.activeElement
    if (focused === null || focused === document.body || !main.current?.contains(focused)) main.current?.focus()
  }, [pathname])
  return (
    <main ref={main} id="content" tabIndex={-1} className="min-w-0 flex-1 outline-none!">
      <Outlet />
    </main>
  )
}
