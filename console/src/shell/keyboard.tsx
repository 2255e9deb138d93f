/** Keys that work everywhere outside of fields. `KEYS` lists them. */
import { Button } from '@cloudflare/kumo/components/button'
import { Dialog } from '@cloudflare/kumo/components/dialog'
import { useRouter } from '@tanstack/react-router'
import { useEffect, useState } from 'react'

/** Marks an element that `j` and `k` move between, and one that `e` presses. */
export const ROW = { 'data-row': '' } as const
export const EDIT = { 'data-edit': '' } as const

const KEYS = [
  ['/', 'Find a customer or a tenant'],
  ['j', 'Next row'],
  ['k', 'Row before'],
  ['↓', 'From the field to the rows'],
  ['Enter', 'Open the row'],
  ['e', 'Edit what is open'],
  ['g t', 'Go to the tenants'],
  ['g a', 'Go to the audit'],
  ['Esc', 'Empty the field, leave it, or close'],
  ['?', 'Show these keys'],
] as const

export function Keyboard() {
  const router = useRouter()
  const [isOpen, open] = useState(false)
  useEffect(() => {
    let isGoing = false
    const goes: Record<string, string> = { t: '/console/tenants', a: '/console/audit' }
    function pressed(event: KeyboardEvent) {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return
      const { key } = event
      const target = isGoing ? goes[key] : undefined
      isGoing = key === 'g'
      if (target !== undefined) router.history.push(target)
      else if (key === '/') focusFind(() => router.history.push('/console/'))
      else if (key === '?') open(true)
      else if (key === 'j' || key === 'k') moveRow(key === 'j' ? 1 : -1)
      else if (key === 'e') document.querySelector<HTMLElement>('[data-edit]')?.click()
      else return
      event.preventDefault()
    }
    window.addEventListener('keydown', pressed)
    return () => window.removeEventListener('keydown', pressed)
  }, [router])
  return (
    <Dialog.Root open={isOpen} onOpenChange={open}>
      <Dialog size="base" className="p-6">
        <Dialog.Title className="mb-4 text-lg font-semibold">Keys</Dialog.Title>
        <dl className="grid grid-cols-[auto_1fr] gap-x-5 gap-y-2">
          {KEYS.map(([key, meaning]) => (
            <div key={key} className="contents">
              <dt>
                <kbd className="rounded bg-kumo-recessed px-1.5 py-0.5 font-mono text-xs ring ring-kumo-line">
                  {key}
                </kbd>
              </dt>
              <dd>{meaning}</dd>
            </div>
          ))}
        </dl>
        <div className="mt-5 flex justify-end">
          <Dialog.Close render={(close) => <Button {...close}>Close</Button>} />
        </div>
      </Dialog>
    </Dialog.Root>
  )
}

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false
  return (
    target.isContentEditable ||
    /^(?:INPUT|TEXTAREA|SELECT)$/.test(target.tagName) ||
    target.closest('[role="dialog"]') !== null
  )
}

/** Focuses the field of the screen that finds, or opens that screen, whose field takes the focus itself. */
function focusFind(go: () => void): void {
  const field = document.querySelector<HTMLInputElement>('[data-find]')
  if (field) field.select()
  else go()
}

/** Moves the focus between the rows of the screen. */
export function moveRow(step: 1 | -1): void {
  const rows = [...document.querySelectorAll<HTMLElement>('[data-row]')]
  const at = rows.findIndex((row) => row === document.activeElement || row.contains(document.activeElement))
  const next = at === -1 ? (step === 1 ? 0 : rows.length - 1) : Math.min(rows.length - 1, Math.max(0, at + step))
  rows[next]?.focus()
}
