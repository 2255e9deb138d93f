/**
 * A secret that is shown once: a key, or a link that signs somebody in.
 */
import { Button } from '@cloudflare/kumo/components/button'
import { Dialog } from '@cloudflare/kumo/components/dialog'
import { WarningIcon } from '@phosphor-icons/react'
import type { ReactNode } from 'react'
import { FormDialog } from './form-dialog.tsx'
import { CopyButton } from './id.tsx'

interface Props {
  title: string
  /** Null closes the dialog. */
  value: string | null
  warning: string
  children?: ReactNode
  onClose: () => void
}

export function Secret({ title, value, warning, children, onClose }: Props) {
  return (
    <FormDialog isOpen={value !== null} onClose={onClose} isSticky>
      {value !== null && (
        <div className="space-y-4">
          <Dialog.Title className="text-lg font-semibold">{title}</Dialog.Title>
          <Dialog.Description className="flex items-start gap-2 text-kumo-default">
            <WarningIcon size={20} className="mt-0.5 shrink-0 text-kumo-warning" aria-hidden />
            {warning}
          </Dialog.Description>
          <div className="flex items-center gap-2 rounded-md bg-kumo-recessed p-3">
            <code className="min-w-0 flex-1 font-mono text-sm break-all" translate="no" data-secret>
              {value}
            </code>
            <CopyButton value={value} label="Copy it" />
          </div>
          {children}
          <div className="flex justify-end">
            <Button variant="primary" onClick={onClose}>
              I have kept it
            </Button>
          </div>
        </div>
      )}
    </FormDialog>
  )
}
