/**
 * Experiment 1: how D1 cuts a text of several statements apart. Its `/query` does that on the server; an import does it
 * elsewhere. `npm run deploy` imports, so only that has to work; the rest shows whether the model of the tests is
 * right.
 */
import { attempt, type Check, experiment, type Judgement, short } from '../experiment.ts'

interface Seen {
  /** Why a migration was refused, by file; null if it was applied. Those after a refused one are not tried. */
  byQuery: Record<string, string | null>
  byImport: string | null
  /** Why a probe was refused, by its name; null if it passed. */
  probes: Record<string, string | null>
}

const numbers = (count: number) => Array.from({ length: count }, (_, at) => at).join(', ')
const trigger = (name: string, body: string) =>
  `CREATE TABLE ${name} (a INTEGER);\nCREATE TRIGGER ${name}_inserted AFTER INSERT ON ${name} BEGIN\n${body}\nEND;`

/** Small texts, each with one thing that a splitter may stumble over. */
export const PROBES: Record<string, string> = {
  trigger: trigger('plain', '  UPDATE plain SET a = 1;\n  DELETE FROM plain WHERE a = 2;'),
  iif: trigger('iifs', '  UPDATE iifs SET a = iif(new.a = 1, 2, 3);'),
  bareCase: trigger(
    'bare',
    '  UPDATE bare SET a = CASE new.a WHEN 1 THEN 2 ELSE 3 END;\n  DELETE FROM bare WHERE a = 4;',
  ),
  parenthesisedCase: trigger('wrapped', '  UPDATE wrapped SET a = (CASE new.a WHEN 1 THEN 2 ELSE 3 END);'),
  quoteInComment: "-- it's a comment\nCREATE TABLE quoted (a INTEGER);\nINSERT INTO quoted VALUES (1);",
  semicolonInComment: '-- first; second\nCREATE TABLE commented (a INTEGER);',
  arguments32: `SELECT json_array(${numbers(32)})`,
  arguments33: `SELECT json_array(${numbers(33)})`,
}

const MODEL = [{ file: 'test/shared/d1-splitter.ts', text: 'splitLikeD1Query' }]
const LIMITS = [{ file: 'test/shared/d1-limits.ts', text: 'MAX_FUNCTION_ARGUMENTS' }]
const ONLY_THE_MODEL =
  'Roster avoids it in migrations either way. What reports say and the tests model is not what D1 does: correct the model.'

function probe(name: string, key: string, expected: 'passes' | 'is refused', change = MODEL): Check<Seen> {
  return {
    name,
    expected,
    meaning: ONLY_THE_MODEL,
    change,
    judge: ({ probes }) => {
      const refusal = probes[key]
      if (refusal === undefined) return { verdict: 'unclear', seen: 'not tried' }
      const isAsExpected = (refusal === null) === (expected === 'passes')
      return { verdict: isAsExpected ? 'expected' : 'harmless', seen: outcome(refusal) }
    },
  }
}

/** Only the reason of a refusal fits a cell. */
function outcome(refusal: string | null): string {
  return refusal === null ? 'passes' : short(`refused: ${reasonOf(refusal)}`)
}

function reasonOf(refusal: string): string {
  return refusal.replace(/^Cloudflare answered \d+ to \S+ \S+: /, '')
}

function judgeQuery({ byQuery }: Seen): Judgement {
  const refused = Object.entries(byQuery).find(([, refusal]) => refusal !== null)
  if (!refused) return { verdict: 'expected', seen: `all ${Object.keys(byQuery).length} applied` }
  return { verdict: 'harmless', seen: short(`${refused[0]} refused: ${reasonOf(refused[1] ?? '')}`) }
}

export const splitter = experiment<Seen>({
  number: 1,
  title: 'Migrations: does D1 take them by import and by /query?',
  budgetMs: 180_000,
  async run(context) {
    const imported = await context.createDatabase('import')
    const byImport = await attempt(() => context.applyMigrations(imported))
    const queried = await context.createDatabase('query')
    const byQuery: Seen['byQuery'] = {}
    for (const { file, sql } of context.migrations()) {
      byQuery[file] = await attempt(() => context.account.query(queried.uuid, sql))
      if (byQuery[file] !== null) break
    }
    const probed = await context.createDatabase('splitter')
    const probes: Seen['probes'] = {}
    for (const [name, sql] of Object.entries(PROBES))
      probes[name] = await attempt(() => context.account.query(probed.uuid, sql))
    return { byQuery, byImport, probes }
  },
  checks: [
    {
      name: 'migrations by import',
      expected: 'all applied',
      meaning:
        'npm run deploy cannot create the tables. Read the refusal: if it names a line, rewrite that statement; if it is about the endpoint, apply by /query.',
      change: [
        { file: 'scripts/deploy/migrations.mjs', text: 'migrateAll' },
        { file: 'migrations/0000_tenants.sql', text: 'CREATE' },
      ],
      judge: ({ byImport }) => ({
        verdict: byImport === null ? 'expected' : 'different',
        seen: byImport === null ? 'all applied' : outcome(byImport),
      }),
    },
    {
      name: 'migrations by /query',
      expected: 'all applied',
      meaning: '',
      harmless:
        'npm run deploy imports and is not affected. Never use `wrangler d1 migrations apply` by hand; correct the splitter that the tests model.',
      change: MODEL,
      judge: judgeQuery,
    },
    probe('trigger without CASE', 'trigger', 'passes'),
    probe('trigger with iif()', 'iif', 'passes'),
    probe('trigger, bare CASE', 'bareCase', 'is refused'),
    probe('trigger, (CASE … END)', 'parenthesisedCase', 'passes'),
    probe('quote in a comment', 'quoteInComment', 'is refused'),
    probe('semicolon in a comment', 'semicolonInComment', 'is refused'),
    {
      name: 'function, 32 arguments',
      expected: 'passes',
      meaning: 'Triggers that build JSON of 16 fields fail at run time. Nest their json_object calls further.',
      change: LIMITS,
      judge: ({ probes: { arguments32: refusal = 'not tried' } }) => ({
        verdict: refusal === null ? 'expected' : 'different',
        seen: outcome(refusal),
      }),
    },
    probe('function, 33 arguments', 'arguments33', 'is refused', LIMITS),
  ],
})
