/**
 * Light, dark, or as the system is. The choice is kept in this browser.
 */
import { useSyncExternalStore } from 'react'

export type Theme = 'system' | 'light' | 'dark'

const KEY = 'roster.theme'
const dark = window.matchMedia('(prefers-color-scheme: dark)')
const listeners = new Set<() => void>()

function chosen(): Theme {
  const kept = localStorage.getItem(KEY)
  return kept === 'light' || kept === 'dark' ? kept : 'system'
}

/** Gives the page its theme, and keeps it when the system's changes. */
export function applyTheme(): void {
  const isDark = chosen() === 'dark' || (chosen() === 'system' && dark.matches)
  document.documentElement.dataset.mode = isDark ? 'dark' : 'light'
  for (const listener of listeners) listener()
}

dark.addEventListener('change', applyTheme)

export function useTheme(): { theme: Theme; choose: (theme: Theme) => void } {
  const theme = useSyncExternalStore((listener) => {
    listeners.add(listener)
    return () => listeners.delete(listener)
  }, chosen)
  return {
    theme,
    choose: (next) => {
      if (next === 'system') localStorage.removeItem(KEY)
      else localStorage.setItem(KEY, next)
      applyTheme()
    },
  }
}
