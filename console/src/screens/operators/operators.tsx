/**
 * The people who run this Roster: who may do what, when they were last here, and their keys.
 */
import { Badge } from '@cloudflare/kumo/components/badge'
import { LockIcon, PlusIcon, UsersThreeIcon } from '@phosphor-icons/react'
import { useInfiniteQuery, useQueryClient } from '@tanstack/react-query'
import { getRouteApi, useNavigate } from '@tanstack/react-router'
import { useState } from 'react'
import { call } from '../../api/call.ts'
import { useMe } from '../../api/me.ts'
import { operatorsQuery } from '../../api/operators.ts'
import { Curl } from '../../parts/curl.tsx'
import { GatedButton, useMissing } from '../../parts/gate.tsx'
import { coversRow, List, More } from '../../parts/list.tsx'
import { useNotice } from '../../parts/notice.tsx'
import { OperatorsOnly } from '../../parts/operators-only.tsx'
import { Card, Page } from '../../parts/page.tsx'
import { EmptyState, ErrorState, Loading } from '../../parts/states.tsx'
import { Time } from '../../parts/time.tsx'
import { ROW } from '../../shell/keyboard.tsx'
import { NewOperator } from './new-operator.tsx'
import { OnePerson } from './one-person.tsx'
import { OWNER, ROLE_MEANINGS } from './roles.ts'
import { type NewLink, SignInLink } from './sign-in-link.tsx'

const route = getRouteApi('/operators')

export function Operators() {
  return (
    <OperatorsOnly title="Operators">
      <People />
    </OperatorsOnly>
  )
}

function People() {
  const refusal = useMissing(OWNER)
  if (refusal === null) return <ForOwners />
  return (
    <Page title="Operators">
      <EmptyState icon={<LockIcon size={40} aria-hidden />} title="For owners" description={refusal} />
    </Page>
  )
}

function ForOwners() {
  const me = useMe()
  const { operator: openedId } = route.useSearch()
  const navigate = useNavigate()
  const queries = useQueryClient()
  const { notice, notify } = useNotice()
  const query = useInfiniteQuery(operatorsQuery)
  const [isAdding, add] = useState(false)
  const [link, showLink] = useState<NewLink | null>(null)
  const people = query.data?.pages.flatMap(({ items }) => items) ?? []
  const opened = people.find(({ operator_id }) => operator_id === openedId) ?? null
  const open = (operator?: string) => navigate({ to: '/operators', search: operator === undefined ? {} : { operator } })
  const reload = () => queries.invalidateQueries({ queryKey: operatorsQuery.queryKey })
  const done = (text: string) => {
    notify(text)
    reload()
  }
  const create = (
    <GatedButton needs={OWNER} variant="primary" icon={PlusIcon} onClick={() => add(true)}>
      Add an operator
    </GatedButton>
  )
  return (
    <Page title="Operators" actions={create}>
      {notice}
      <Card>
        {query.isPending && <Loading lines={5} />}
        {query.error && people.length === 0 && <ErrorState error={query.error} onRetry={() => query.refetch()} />}
        {query.data && people.length === 0 && (
          <EmptyState
            icon={<UsersThreeIcon size={40} aria-hidden />}
            title="No operator yet"
            description="An admin key is for the first hour and for emergencies. Add the people, so that the audit can name them."
            contents={create}
          />
        )}
        {people.length > 0 && (
          <List
            label="Operators"
            rows={people}
            rowKey={({ operator_id }) => operator_id}
            columns={[
              {
                head: 'Name',
                isTitle: true,
                cell: ({ operator_id, name, email }) => (
                  <>
                    <button
                      {...ROW}
                      type="button"
                      className={`${coversRow} block cursor-pointer text-left break-words`}
                      dir="auto"
                      onClick={() => open(operator_id)}
                    >
                      {name}
                      {me.kind === 'operator' && me.operatorId === operator_id && ' (you)'}
                    </button>
                    <span className="block text-sm break-all text-kumo-subtle">{email}</span>
                  </>
                ),
              },
              { head: 'Role', cell: ({ role }) => <Badge variant="outline">{role}</Badge> },
              { head: 'Last seen', cell: ({ last_seen_at }) => <Time at={last_seen_at} /> },
              { head: 'Added', cell: ({ created_at }) => <Time at={created_at} /> },
            ]}
          />
        )}
        <More query={query} />
      </Card>
      <RoleLegend />
      <div className="mt-3">
        <Curl call={call('GET', '/admin/operators')} />
      </div>
      <NewOperator
        open={isAdding}
        onClose={() => add(false)}
        onMade={(made) => {
          reload()
          showLink(made)
        }}
      />
      <OnePerson operator={opened} onClose={() => open()} onChanged={done} onLink={showLink} />
      <SignInLink link={link} onClose={() => showLink(null)} />
    </Page>
  )
}

function RoleLegend() {
  return (
    <dl className="mt-4 grid gap-x-6 gap-y-2 text-sm md:grid-cols-2">
      {ROLE_MEANINGS.map(([role, meaning]) => (
        <div key={role} className="flex items-center gap-2">
          <dt>
            <Badge variant="outline">{role}</Badge>
          </dt>
          <dd className="text-kumo-subtle">{meaning}</dd>
        </div>
      ))}
    </dl>
  )
}
