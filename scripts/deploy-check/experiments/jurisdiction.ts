/** Experiment 10: whether a database and an object in a jurisdiction say that they are there. A deployment reads it from the database. */
import { type Database, experiment, type Judgement } from '../experiment.ts'

const JURISDICTION = 'eu'

interface Seen {
  /** The jurisdiction of a new database, by its description and by the list of all. Null if it names none. */
  described: string | null
  listed: string | null
  /** The jurisdiction that an object says it is in, and whether one of the same name outside has another id. */
  object: { reported: string | null; isAnother: boolean }
}

function judgeDatabase({ described, listed }: Seen): Judgement {
  const isThere = described === JURISDICTION && listed === JURISDICTION
  const seen = `described ${described ?? 'without one'}, listed ${listed ?? 'without one'}`
  return { verdict: isThere ? 'expected' : 'different', seen }
}

function judgeObject({ object: { reported, isAnother } }: Seen): Judgement {
  const seen = `says ${reported ?? 'none'}, ${isAnother ? 'another object' : 'the same object'} outside`
  if (!isAnother) return { verdict: 'different', seen }
  return { verdict: reported === JURISDICTION ? 'expected' : 'harmless', seen }
}

export const jurisdiction = experiment<Seen>({
  number: 10,
  title: 'Jurisdiction: is what is made in the EU known to be there?',
  budgetMs: 60_000,
  async run(context) {
    const { name, uuid } = await context.createDatabase('jurisdiction', { jurisdiction: JURISDICTION })
    const described: Partial<Database> = (await context.account.database(uuid)) ?? {}
    const listed = (await context.account.databases()).find((database) => database.name === name)
    return {
      described: described.jurisdiction ?? null,
      listed: listed?.jurisdiction ?? null,
      object: await context.probe('jurisdiction', { jurisdiction: JURISDICTION, object: 'resident' }),
    }
  },
  checks: [
    {
      name: 'a database in the EU',
      expected: 'described and listed as eu',
      meaning:
        'npm run deploy -- --jurisdiction eu cannot know where its databases are: it stops after it has made one, or takes it later for one without a jurisdiction.',
      change: [{ file: 'scripts/deploy/existing.mjs', text: 'databasesThere' }],
      judge: judgeDatabase,
    },
    {
      name: 'an object in the EU',
      expected: 'says eu, another object outside',
      meaning:
        'A gate that is addressed within the EU may be one outside of it. Do not rely on --jurisdiction until that is known.',
      harmless: 'An object does not say where it is. Roster does not ask it.',
      change: [{ file: 'src/env.ts', text: 'inJurisdiction' }],
      judge: judgeObject,
    },
  ],
})
