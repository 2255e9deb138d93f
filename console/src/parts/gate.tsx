/**
 * Actions that not everybody may take: shown to all, disabled with the reason for those who may not.
 */
import { Button, type ButtonProps } from '@cloudflare/kumo/components/button'
import { Tooltip } from '@cloudflare/kumo/components/tooltip'
import { missing, type Needs, useMe } from '../api/me.ts'

/** Returns why the caller may not do it, or null if it may. */
export function useMissing(needs: Needs): string | null {
  return missing(useMe(), needs)
}

/** A button for what `needs` says. `refusal` is another reason why it cannot be pressed now. */
export function GatedButton({
  needs,
  refusal = null,
  ...props
}: ButtonProps & { needs: Needs; refusal?: string | null }) {
  const reason = useMissing(needs) ?? refusal
  if (reason === null) return <Button {...props} />
  const { onClick: _, disabled: __, type: ___, className, ...shown } = props
  // Not `disabled`: the reason must be reachable with the pointer and the keyboard.
  return (
    <Tooltip
      content={<span className="block max-w-64">{reason}</span>}
      render={
        <Button
          {...shown}
          type="button"
          aria-disabled="true"
          aria-description={reason}
          className={`cursor-not-allowed! opacity-55 ${typeof className === 'string' ? className : ''}`}
        />
      }
    />
  )
}
