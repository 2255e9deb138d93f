/**
 * Every screen with its URL. The code of a screen is loaded when it is first opened.
 */
import { createRootRoute, createRoute, createRouter, lazyRouteComponent, redirect } from '@tanstack/react-router'
import type { Mode } from './api/call.ts'
import { invitation } from './api/invitation.ts'
import { NotFound, RouteError } from './parts/states.tsx'
import { Shell } from './shell/shell.tsx'

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound, errorComponent: RouteError })

/** Returns the search parameters of these names that are texts. Others are dropped. */
function texts<Name extends string>(...names: Name[]) {
  return (search: Record<string, unknown>) =>
    Object.fromEntries(
      names.flatMap((name) => {
        const value = search[name]
        if (typeof value === 'number' || typeof value === 'boolean') return [[name, String(value)]]
        return typeof value === 'string' && value !== '' ? [[name, value]] : []
      }),
    ) as { [Each in Name]?: string }
}

/** Reads the mode in a path: whatever is not `test` is live. */
const place = {
  parse: ({ mode, ...others }: { tenantId: string; mode: string }) => ({
    ...others,
    mode: (mode === 'test' ? 'test' : 'live') as Mode,
  }),
}

const find = createRoute({
  getParentRoute: () => root,
  path: '/',
  validateSearch: texts('q', 'tenant', 'mode'),
  component: lazyRouteComponent(() => import('./screens/find/find.tsx'), 'Find'),
})

const customer = createRoute({
  getParentRoute: () => root,
  path: '/tenants/$tenantId/$mode/customers/$customerId',
  params: { parse: (params) => ({ ...place.parse(params), customerId: params.customerId }) },
  validateSearch: ({ version }: Record<string, unknown>): { version?: number } =>
    Number.isInteger(version) ? { version: Number(version) } : {},
  component: lazyRouteComponent(() => import('./screens/customer/customer.tsx'), 'Customer'),
})

const merge = createRoute({
  getParentRoute: () => root,
  path: '/tenants/$tenantId/$mode/customers/$customerId/merge',
  params: { parse: (params) => ({ ...place.parse(params), customerId: params.customerId }) },
  validateSearch: texts('into'),
  component: lazyRouteComponent(() => import('./screens/merge/merge.tsx'), 'Merge'),
})

const edit = createRoute({
  getParentRoute: () => root,
  path: '/tenants/$tenantId/$mode/customers/$customerId/edit',
  params: { parse: (params) => ({ ...place.parse(params), customerId: params.customerId }) },
  component: lazyRouteComponent(() => import('./screens/edit/edit.tsx'), 'Edit'),
})

const tenants = createRoute({
  getParentRoute: () => root,
  path: '/tenants',
  validateSearch: texts('search', 'status', 'tier', 'cursor'),
  component: lazyRouteComponent(() => import('./screens/tenants/tenants.tsx'), 'Tenants'),
})

const newTenant = createRoute({
  getParentRoute: () => root,
  path: '/tenants/new',
  component: lazyRouteComponent(() => import('./screens/tenants/new-tenant.tsx'), 'NewTenant'),
})

const tenant = createRoute({
  getParentRoute: () => root,
  path: '/tenants/$tenantId',
  validateSearch: texts('tab', 'mode'),
  component: lazyRouteComponent(() => import('./screens/tenant/tenant.tsx'), 'Tenant'),
})

const endpoint = createRoute({
  getParentRoute: () => root,
  path: '/tenants/$tenantId/$mode/endpoints/$endpointId',
  params: { parse: (params) => ({ ...place.parse(params), endpointId: params.endpointId }) },
  validateSearch: texts('status', 'cursor'),
  component: lazyRouteComponent(() => import('./screens/tenant/endpoint.tsx'), 'Endpoint'),
})

const audit = createRoute({
  getParentRoute: () => root,
  path: '/audit',
  validateSearch: texts(
    'tenant_id',
    'customer_id',
    'actor',
    'type',
    'request_id',
    'start_time',
    'end_time',
    'cursor',
    'entry',
  ),
  component: lazyRouteComponent(() => import('./screens/audit/audit.tsx'), 'Audit'),
})

const importFile = createRoute({
  getParentRoute: () => root,
  path: '/import',
  validateSearch: texts('tenant', 'mode'),
  component: lazyRouteComponent(() => import('./screens/import/import.tsx'), 'Import'),
})

const operators = createRoute({
  getParentRoute: () => root,
  path: '/operators',
  validateSearch: texts('operator', 'cursor'),
  component: lazyRouteComponent(() => import('./screens/operators/operators.tsx'), 'Operators'),
})

const health = createRoute({
  getParentRoute: () => root,
  path: '/health',
  component: lazyRouteComponent(() => import('./screens/health/health.tsx'), 'Health'),
})

/** For the link of an invitation, whose token stands in the fragment. Without one, the start is the place to sign in. */
const signIn = createRoute({
  getParentRoute: () => root,
  path: '/sign-in',
  beforeLoad: () => {
    if (invitation() === null) throw redirect({ to: '/' })
  },
})

const routeTree = root.addChildren([
  find,
  customer,
  edit,
  merge,
  tenants,
  newTenant,
  tenant,
  endpoint,
  audit,
  importFile,
  operators,
  health,
  signIn,
])

export const router = createRouter({
  routeTree,
  basepath: '/console',
  defaultPreload: 'intent',
  scrollRestoration: true,
})

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router
  }
}
