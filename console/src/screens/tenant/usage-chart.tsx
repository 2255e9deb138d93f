/**
 * The chart of requests by day, by uPlot: bars that stand on each other, with the numbers of a day under the pointer.
 */
import { useEffect, useRef, useState } from 'react'
import UPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { compact, date, number } from '../../lib/format.ts'
import type { UsageSeries } from '../../lib/usage-series.ts'

const HEIGHT_PX = 240
/** The first and the last bar are as wide as the others. */
/** Steps between two lines of the grid: nobody sends half a request. */
const WHOLE_STEPS = Array.from({ length: 12 }, (_, power) => [1, 2, 5].map((step) => step * 10 ** power)).flat()
const HALF_A_DAY_S = 43_200
/** Outermost first: each bar covers the lower part of the one before. */
const LAYERS = [
  { name: 'failed', colour: '--usage-errors' },
  { name: 'rate limited', colour: '--usage-limited' },
  { name: 'admitted', colour: '--usage-admitted' },
] as const

export function UsageChart({ series, label }: { series: UsageSeries; label: string }) {
  const place = useRef<HTMLDivElement>(null)
  const [day, setDay] = useState<number | null>(null)
  useEffect(() => {
    const element = place.current
    if (!element) return
    let plot = draw(element, series, setDay)
    const resized = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: HEIGHT_PX }))
    resized.observe(element)
    // Colours are drawn, so another theme is another drawing.
    const themed = new MutationObserver(() => {
      plot.destroy()
      plot = draw(element, series, setDay)
    })
    themed.observe(document.documentElement, { attributeFilter: ['data-mode'] })
    return () => {
      resized.disconnect()
      themed.disconnect()
      plot.destroy()
    }
  }, [series])
  return (
    <div>
      <div ref={place} role="img" aria-label={label} className="min-w-0" style={{ minHeight: HEIGHT_PX }} />
      <p className="mt-1 h-5 text-sm text-kumo-subtle" aria-hidden>
        {day === null ? '' : legendOf(series, day)}
      </p>
    </div>
  )
}

function legendOf({ seconds, admitted, limited, errors }: UsageSeries, at: number): string {
  const day = date(new Date((seconds[at] ?? 0) * 1000).toISOString(), 'UTC')
  return `${day}: ${number(admitted[at] ?? 0)} admitted, ${number(limited[at] ?? 0)} rate limited, ${number(errors[at] ?? 0)} failed`
}

function draw(element: HTMLElement, series: UsageSeries, onDay: (at: number | null) => void): UPlot {
  const style = getComputedStyle(element)
  const colour = (name: string) => resolved(element, name)
  const text = { stroke: colour('--usage-text'), font: `12px ${style.fontFamily}` }
  const bars = UPlot.paths.bars?.({ size: [0.7, 40] })
  const upTo = (layers: number[][]) =>
    series.seconds.map((_, at) => layers.reduce((sum, layer) => sum + (layer[at] ?? 0), 0))
  const { admitted, limited, errors } = series
  return new UPlot(
    {
      width: element.clientWidth,
      height: HEIGHT_PX,
      legend: { show: false },
      cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
      tzDate: (second) => UPlot.tzDate(new Date(second * 1000), 'Etc/UTC'),
      scales: {
        x: { range: (_, min, max) => [min - HALF_A_DAY_S, max + HALF_A_DAY_S] },
        y: { range: (_, __, max) => [0, Math.max(1, max * 1.05)] },
      },
      axes: [
        {
          ...text,
          grid: { show: false },
          ticks: { show: false },
          size: 28,
          values: [[86_400, '{D} {MMM}', ...Array(6).fill(null), 1]] as never,
        },
        {
          ...text,
          size: 52,
          grid: { stroke: colour('--usage-grid'), width: 1 },
          ticks: { show: false },
          incrs: WHOLE_STEPS,
          values: (_, values) => values.map(compact),
        },
      ],
      series: [
        {},
        ...LAYERS.map(({ name, colour: fill }) => ({
          label: name,
          fill: colour(fill),
          width: 0,
          points: { show: false },
          ...(bars && { paths: bars }),
        })),
      ],
      hooks: { setCursor: [({ cursor }) => onDay(cursor.idx ?? null)] },
    },
    [series.seconds, upTo([admitted, limited, errors]), upTo([admitted, limited]), admitted],
    element,
  )
}

/** Returns a colour of the theme as the canvas takes it. */
function resolved(element: HTMLElement, name: string): string {
  const probe = document.createElement('span')
  probe.style.color = `var(${name})`
  element.append(probe)
  const { color } = getComputedStyle(probe)
  probe.remove()
  return color
}
