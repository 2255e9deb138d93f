/**
 * The numbers of the usage chart, for those who read or copy them.
 */
import { date, number } from '../../lib/format.ts'
import type { UsageSeries } from '../../lib/usage-series.ts'

export function UsageTable({ series }: { series: UsageSeries }) {
  const rows = series.seconds
    .map((second, at) => ({
      day: new Date(second * 1000).toISOString(),
      numbers: [series.admitted[at] ?? 0, series.limited[at] ?? 0, series.errors[at] ?? 0],
    }))
    .reverse()
  return (
    <details className="mt-3">
      <summary className="cursor-pointer text-sm text-kumo-subtle hover:text-kumo-default">As a table</summary>
      <div className="mt-2 overflow-x-auto">
        <table className="w-full text-sm">
          <thead>
            <tr className="border-b border-kumo-hairline text-left text-kumo-subtle">
              <th scope="col" className="py-1.5 pr-4 font-medium">
                Day
              </th>
              {['Admitted', 'Rate limited', 'Failed'].map((head) => (
                <th key={head} scope="col" className="py-1.5 pl-4 text-right font-medium">
                  {head}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(({ day, numbers }) => (
              <tr key={day} className="border-b border-kumo-hairline">
                <th scope="row" className="py-1.5 pr-4 text-left font-normal whitespace-nowrap">
                  {date(day, 'UTC')}
                </th>
                {numbers.map((value, at) => (
                  // biome-ignore lint/suspicious/noArrayIndexKey: the three columns never change their order
                  <td key={at} className="py-1.5 pl-4 text-right">
                    {number(value)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  )
}
