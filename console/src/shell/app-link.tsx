/**
 * Links of Kumo's parts, which know addresses only, through the router. Addresses outside of the console are ordinary links.
 */
import type { LinkComponentProps } from '@cloudflare/kumo/utils'
import { useRouter } from '@tanstack/react-router'
import { forwardRef } from 'react'

const BASE = '/console'

export const AppLink = forwardRef<HTMLAnchorElement, LinkComponentProps>(function AppLink(
  { href = '', to: _, onClick, ...rest },
  ref,
) {
  const router = useRouter()
  const isInside = href === BASE || href.startsWith(`${BASE}/`)
  return (
    <a
      {...rest}
      ref={ref}
      href={href}
      onClick={(event) => {
        onClick?.(event)
        const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey && !event.altKey
        if (!isInside || !isPlain || event.defaultPrevented || rest.target === '_blank') return
        event.preventDefault()
        router.history.push(href)
      }}
    />
  )
})
