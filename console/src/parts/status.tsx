/**
 * States as badges, in the same colours everywhere.
 */
import { Badge } from '@cloudflare/kumo/components/badge'

const TONES: Record<string, 'success' | 'warning' | 'error' | 'neutral'> = {
  active: 'success',
  published: 'success',
  ok: 'success',
  delivered: 'success',
  suspended: 'warning',
  pending: 'warning',
  failing: 'error',
  failed: 'error',
}

export function Status({ value }: { value: string }) {
  return (
    <Badge variant={TONES[value] ?? 'neutral'} appearance="dot">
      {value}
    </Badge>
  )
}

/** The mode, in words and colour: live and test are never mixed up. */
export function ModeBadge({ mode }: { mode: string }) {
  return <Badge variant={mode === 'live' ? 'success' : 'warning'}>{mode}</Badge>
}
