/**
 * The tiers side by side with what each allows, to choose one from. `custom` has fields for its numbers.
 */
import { Input } from '@cloudflare/kumo/components/input'
import { cn } from '@cloudflare/kumo/utils'
import { bytes, compact, number } from '../../lib/format.ts'
import { LIMITS, type LimitName, limitsOf, TIERS, type Tier } from '../../lib/tiers.ts'

export interface TierInput {
  tier: Tier
  /** The numbers of `custom`, as typed. */
  limits: Partial<Record<LimitName, string>>
}

interface Props {
  value: TierInput
  onChange: (value: TierInput) => void
  /** Returns what the API says about a field. */
  errorOf: (field: string) => string | undefined
  /** Says what a number of `custom` is that is left empty, such as `as it is`. */
  emptyMeans: string
}

export function TierChoice({ value, onChange, errorOf, emptyMeans }: Props) {
  return (
    <fieldset className="min-w-0">
      <legend className="mb-2 text-base font-medium">Tier</legend>
      <div className="grid gap-2 sm:grid-cols-2 lg:grid-cols-3">
        {TIERS.map((tier) => (
          <label
            key={tier}
            className={cn(
              'flex cursor-pointer gap-3 rounded-lg p-3 ring has-[:focus-visible]:outline-2 has-[:focus-visible]:outline-kumo-brand',
              value.tier === tier
                ? 'bg-kumo-tint ring-2 ring-kumo-brand'
                : 'bg-kumo-base ring-kumo-line hover:bg-kumo-tint',
            )}
          >
            <input
              type="radio"
              name="tier"
              className="mt-1 accent-kumo-brand outline-none!"
              checked={value.tier === tier}
              onChange={() => onChange({ ...value, tier })}
            />
            <span className="min-w-0">
              <span className="block font-medium">{tier}</span>
              <span className="block text-sm text-kumo-subtle">
                {summaryOf(tier) ?? `Numbers of your own; an empty one is ${emptyMeans}.`}
              </span>
            </span>
          </label>
        ))}
      </div>
      {value.tier === 'custom' && (
        <div className="mt-4 grid gap-4 sm:grid-cols-2">
          {LIMITS.map(({ name, label }) => {
            const error = errorOf(`limits.${name}`)
            return (
              <Input
                key={name}
                label={name === 'storage_bytes' ? `${label}, in bytes` : label}
                inputMode="numeric"
                placeholder={emptyMeans}
                value={value.limits[name] ?? ''}
                {...(error !== undefined && { error })}
                onChange={(event) => onChange({ ...value, limits: { ...value.limits, [name]: event.target.value } })}
              />
            )
          })}
        </div>
      )}
    </fieldset>
  )
}

function summaryOf(tier: Tier): string | null {
  const limits = limitsOf(tier)
  if (!limits) return null
  const { requests_per_second: rate, annual_validation_limit: year, storage_bytes: storage } = limits
  return `${number(rate)} a second, ${compact(year)} a year, ${bytes(storage)}`
}
