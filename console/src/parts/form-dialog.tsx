/**
 * The dialog of a form: what was typed into it is forgotten when it closes.
 */
import { Dialog } from '@cloudflare/kumo/components/dialog'
import type { ReactNode } from 'react'

interface Props {
  isOpen: boolean
  onClose: () => void
  size?: 'lg' | 'xl'
  /** Whether a click beside it leaves it open. */
  isSticky?: boolean
  children: ReactNode
}

export function FormDialog({ isOpen, onClose, size = 'lg', isSticky = false, children }: Props) {
  return (
    <Dialog.Root open={isOpen} onOpenChange={(open) => !open && onClose()} disablePointerDismissal={isSticky}>
      <Dialog size={size} className="max-h-[90dvh] overflow-y-auto p-6">
        {isOpen && children}
      </Dialog>
    </Dialog.Root>
  )
}
