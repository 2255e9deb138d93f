/**
 * Experiment 2: whether the account has Analytics Engine, without which a Worker that counts in it cannot be deployed.
 */
import { experiment, type Judgement, short } from '../experiment.ts'

interface Seen {
  code: number | null
  output: string
}

function judge({ code, output }: Seen): Judgement {
  if (code === 0) return { verdict: 'expected', seen: 'enabled' }
  if (/\b10089\b/.test(output)) return { verdict: 'different', seen: 'not enabled (10089)' }
  return { verdict: 'unclear', seen: short(output.split('\n').find((line) => /error/i.test(line)) ?? output) }
}

export const analytics = experiment<Seen>({
  number: 2,
  title: 'Analytics Engine: is it switched on?',
  budgetMs: 120_000,
  run: (context) => context.deployCounting(),
  checks: [
    {
      name: 'Analytics Engine',
      expected: 'enabled',
      meaning:
        'npm run deploy stops at the Worker. Open Workers & Pages > Analytics Engine in the dashboard once and enable it, or deploy with --without-analytics.',
      change: [{ file: 'docs/operations/deploy.md', text: 'npm run deploy' }],
      judge,
    },
  ],
})
