/**
 * The way to every screen, who is signed in, and the theme.
 */
import { Button } from '@cloudflare/kumo/components/button'
import { DropdownMenu } from '@cloudflare/kumo/components/dropdown'
import { Sidebar, useSidebar } from '@cloudflare/kumo/components/sidebar'
import { useKumoToastManager } from '@cloudflare/kumo/components/toast'
import {
  BuildingsIcon,
  ClockCounterClockwiseIcon,
  FileArrowUpIcon,
  HeartbeatIcon,
  ListIcon,
  MagnifyingGlassIcon,
  MonitorIcon,
  MoonIcon,
  SignOutIcon,
  SunIcon,
  UserCircleIcon,
  UsersThreeIcon,
} from '@phosphor-icons/react'
import { useQueryClient } from '@tanstack/react-query'
import { useRouterState } from '@tanstack/react-router'
import type { ComponentType } from 'react'
import { type Me, useMe } from '../api/me.ts'
import { signOut } from '../api/session.ts'
import { useHere } from './place.ts'
import { TenantSwitcher } from './tenant-switcher.tsx'
import { type Theme, useTheme } from './theme.ts'

interface Entry {
  label: string
  href: string
  icon: ComponentType<{ className?: string }>
  isActive: (path: string) => boolean
}

/** Returns the entries that make sense for the caller. A tenant sees its own part only. */
function entriesFor(me: Me, here: { tenantId: string | null; mode: string }): Entry[] {
  const within = here.tenantId === null ? '' : `?tenant=${here.tenantId}&mode=${here.mode}`
  const find: Entry = {
    label: 'Find',
    href: `/console/${me.kind === 'tenant' ? '' : within}`,
    icon: MagnifyingGlassIcon,
    isActive: (path) => path === '/' || /\/customers\//.test(path),
  }
  const importFile: Entry = {
    label: 'Import',
    href: `/console/import${me.kind === 'tenant' ? '' : within}`,
    icon: FileArrowUpIcon,
    isActive: (path) => path === '/import',
  }
  if (me.kind === 'tenant') {
    const own: Entry = {
      label: 'Account',
      href: `/console/tenants/${me.tenantId}`,
      icon: BuildingsIcon,
      isActive: (path) => path.startsWith('/tenants') && !path.includes('/customers/'),
    }
    return [find, own, importFile]
  }
  return [
    find,
    {
      label: 'Tenants',
      href: '/console/tenants',
      icon: BuildingsIcon,
      isActive: (path) => path.startsWith('/tenants') && !path.includes('/customers/'),
    },
    { label: 'Audit', href: '/console/audit', icon: ClockCounterClockwiseIcon, isActive: (path) => path === '/audit' },
    importFile,
    { label: 'Operators', href: '/console/operators', icon: UsersThreeIcon, isActive: (path) => path === '/operators' },
    { label: 'Health', href: '/console/health', icon: HeartbeatIcon, isActive: (path) => path === '/health' },
  ]
}

export function Navigation() {
  const me = useMe()
  const here = useHere()
  const path = usePath()
  const { setOpenMobile, isMobile, openMobile } = useSidebar()
  return (
    <Sidebar
      aria-label="Navigation"
      className={isMobile ? '' : 'sticky top-0 h-dvh self-start'}
      // Nothing in a closed sheet takes the focus.
      inert={isMobile && !openMobile}
    >
      <Sidebar.Header>
        <span className="flex items-center gap-2 px-1 text-base font-semibold">
          <img src="/console/icon.svg" alt="" width="22" height="22" /> Roster
        </span>
      </Sidebar.Header>
      <Sidebar.Content>
        {me.kind === 'operator' && <TenantSwitcher />}
        <Sidebar.Group>
          <Sidebar.Menu>
            {entriesFor(me, here).map(({ label, href, icon, isActive }) => (
              <Sidebar.MenuButton
                key={label}
                icon={icon}
                href={href}
                active={isActive(path)}
                onClick={() => setOpenMobile(false)}
                aria-current={isActive(path) ? 'page' : undefined}
              >
                {label}
              </Sidebar.MenuButton>
            ))}
          </Sidebar.Menu>
        </Sidebar.Group>
      </Sidebar.Content>
      <Sidebar.Footer className="h-16">
        <Account />
      </Sidebar.Footer>
    </Sidebar>
  )
}

/** Stands above the content on narrow screens, where the navigation is a sheet. */
export function TopBar() {
  const { toggleSidebar, isMobile } = useSidebar()
  if (!isMobile) return null
  return (
    <div className="flex items-center gap-2 border-b border-kumo-hairline bg-kumo-base px-3 py-2">
      <Button shape="square" variant="ghost" aria-label="Open the navigation" icon={ListIcon} onClick={toggleSidebar} />
      <a href="/console/" className="flex items-center gap-2 font-semibold">
        <img src="/console/icon.svg" alt="" width="20" height="20" /> Roster
      </a>
    </div>
  )
}

const THEMES: [Theme, string, typeof SunIcon][] = [
  ['light', 'Light', SunIcon],
  ['dark', 'Dark', MoonIcon],
  ['system', 'As the system', MonitorIcon],
]

function Account() {
  const me = useMe()
  const queries = useQueryClient()
  const { theme, choose } = useTheme()
  const toasts = useKumoToastManager()
  const leave = () =>
    signOut(queries).catch((error: Error) =>
      toasts.add({ title: 'You are still signed in', description: error.message, variant: 'error', timeout: 0 }),
    )
  const role = me.kind === 'operator' ? me.role : `${me.mode} key${me.keyName ? ` ${me.keyName}` : ''}`
  return (
    <DropdownMenu>
      <DropdownMenu.Trigger
        render={
          <button
            type="button"
            className="flex w-full min-w-0 cursor-pointer items-center gap-2 rounded-md p-2 text-left hover:bg-kumo-tint"
          >
            <UserCircleIcon size={24} className="shrink-0 text-kumo-subtle" aria-hidden />
            <span className="sr-only">Account:</span>
            <span className="min-w-0">
              <span className="block truncate font-medium" dir="auto">
                {me.name}
              </span>
              <span className="block truncate text-xs text-kumo-subtle">{role}</span>
            </span>
          </button>
        }
      />
      <DropdownMenu.Content>
        {THEMES.map(([value, label, icon]) => (
          <DropdownMenu.Item key={value} icon={icon} selected={theme === value} onClick={() => choose(value)}>
            <span className="mr-4 flex-1">{label}</span>
          </DropdownMenu.Item>
        ))}
        <DropdownMenu.Separator />
        <DropdownMenu.Item icon={SignOutIcon} onClick={leave}>
          Sign out
        </DropdownMenu.Item>
      </DropdownMenu.Content>
    </DropdownMenu>
  )
}

/** Returns the path below `/console`. */
function usePath(): string {
  return useRouterState({ select: ({ location }) => location.pathname.replace(/^\/console(?=\/|$)/, '') || '/' })
}
