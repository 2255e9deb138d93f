/**
 * A link that signs an operator in once.
 */
import { exactTime } from '../../lib/format.ts'
import { Secret } from '../../parts/secret.tsx'

export interface NewLink {
  url: string
  expires_at: string
  name: string
}

export function SignInLink({ link, onClose }: { link: NewLink | null; onClose: () => void }) {
  return (
    <Secret
      title={`A link that signs ${link?.name ?? ''} in`}
      value={link?.url ?? null}
      warning={`Send it to nobody else. It works once, until ${link === null ? '' : exactTime(link.expires_at)}.`}
      onClose={onClose}
    />
  )
}
