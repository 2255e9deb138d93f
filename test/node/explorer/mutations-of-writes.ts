/**
 * The rules of the path of a write, from the gate's writer to the SQL, each broken in the source. The explorer must find a
 * counter-example in the scenario that is named, or the rule is either untested or not needed.
 *
 * Not in this list, and why:
 * - the keys of requests under way, which a gate remembers: the records in D1 do the same, they only spare the wait.
 * - that a write which D1 refuses as late, or whose target moved, is prepared anew: without it a write fails, and no promise breaks.
 *   writer.model.test.ts has it.
 * - that a batch finds the first result of a used key: the trip that keeps refusals finds it too.
 * - that a batch is under way until the deadline of its latest write: a scenario with a write that waits for its turn for seconds is too
 *   large to be exhausted. writer.model.test.ts has it.
 * - that a full database is no broken connection: without it a write is looked up in vain.
 */
import type { Edit } from '../gate/mutations.ts'

export interface MutationOfWrites extends Edit {
  rule: string
  because: string
  scenario: string
}

export const MUTATIONS_OF_WRITES: readonly MutationOfWrites[] = [
  {
    rule: 'D1 makes no change after its deadline',
    file: 'customers/change-expressions.ts',
    find: "return sql`(unixepoch('subsec') * 1000 <",
    replace: 'return sql`(0 <',
    because: 'the gate has given the change up, and a trip that was late makes it',
    scenario: 'lost answer',
  },
  {
    rule: 'a change that is not found is given up only past its deadline',
    file: 'object/intent-watch.ts',
    find: 'found.found.size === changeIds.length || this.#core.isDecided(seq, found.d1Ms)',
    replace: 'true',
    because: 'its trip may still run',
    scenario: 'lost answer',
  },
  {
    rule: 'only D1’s own time says that an overdue change can no longer be made',
    file: 'object/intent-watch.ts',
    find: 'if (this.#core.isDecided(seq, d1Ms)) this.#core.settleWrite(seq, bookmark)',
    replace: 'this.#core.settleWrite(seq, bookmark)',
    because: 'the gate’s clock is ahead of D1’s, which still makes the change',
    scenario: 'D1 behind',
  },
  {
    rule: 'a change that was found is settled at the bookmark of the look',
    file: 'object/intent-watch.ts',
    find: 'this.#core.settleWrite(seq, found.bookmark)',
    replace: 'this.#core.settleWrite(seq, null)',
    because: 'replicas that do not have the change count as fresh',
    scenario: 'lost answer',
  },
  {
    rule: 'a batch is settled at its own bookmark',
    file: 'object/writer.ts',
    find: 'this.#core.settleWrite(seq, bookmark)\n      this.#note(',
    replace: 'this.#core.settleWrite(seq, null)\n      this.#note(',
    because: 'replicas that do not have the change count as fresh',
    scenario: 'lost answer',
  },
  {
    rule: 'a settlement takes no bookmark back',
    file: 'core/freshness.ts',
    find: 'this.#bookmark = laterBookmark(this.#bookmark, bookmark)',
    replace: 'this.#bookmark = bookmark ?? this.#bookmark',
    because: 'two looks for one change are under way, and the older one is answered last',
    scenario: 'lost answer',
  },
  {
    rule: 'an error that D1 does not explain may have committed',
    file: 'storage/d1-errors.ts',
    find: "return { kind: 'uncertain' }",
    replace: "return { kind: 'overloaded' }",
    because: 'the gate settles as never made what D1 has made',
    scenario: 'lost answer',
  },
  {
    rule: 'the alarm is set before the trip',
    file: 'object/writer.ts',
    find: '    await this.#intents.watch()\n',
    replace: '',
    because: 'no look comes through, and nobody looks again',
    scenario: 'lost twice',
  },
  {
    rule: 'the alarm is set again after a look that failed',
    file: 'object/intent-watch.ts',
    find: 'await this.watch(isLeft ? nowMs + WATCH_INTENTS_EVERY_MS : 0)',
    replace: '',
    because: 'the intent stays, and nobody looks again',
    scenario: 'lost answer',
  },
  {
    rule: 'an overload in a later trip of a batch does not undo the earlier ones',
    file: 'customers/writes.ts',
    find: "neverBegan: (error) => !(error instanceof BrokenOff) && classifyD1Error(error).kind === 'overloaded'",
    replace: "neverBegan: (error) => classifyD1Error(error.cause ?? error).kind === 'overloaded'",
    because: 'a change before it was made, and is settled as never made',
    scenario: 'batch with a refusal',
  },
  {
    rule: 'a batch marks the customers of all its writes',
    file: 'object/writer.ts',
    find: 'tags: writes.flatMap(({ command }) => changedIdsOf(command)),',
    replace: 'tags: changedIdsOf(writes[0].command),',
    because: 'the others are changed without a mark',
    scenario: 'batch with a refusal',
  },
  {
    rule: 'a writer keeps its customer only if no earlier write is under way',
    file: 'object/writer.ts',
    find: 'isNext ? changedByOne(writes) : () => false',
    replace: 'isNext || true ? changedByOne(writes) : () => false',
    because: 'a trip that was late changes it once more, and the mark of that change is older than the value',
    scenario: 'kept by its writer',
  },
  {
    rule: 'a writer keeps its customer only if no other write of its batch changes it',
    file: 'object/write-commands.ts',
    find: 'times.get(ids[0] as string) === 1',
    replace: 'times.size > 0',
    because: 'the other one is committed behind it, under the same mark',
    scenario: 'kept by its writer',
  },
  {
    rule: 'a used key changes nothing',
    file: 'idempotency/records.ts',
    find: 'AND record.key = ',
    replace: 'AND 0 AND record.key = ',
    because: 'a repeat is done once more',
    scenario: 'repeat',
  },
  {
    rule: 'the record of a key is in the transaction of its change',
    file: 'customers/writes.ts',
    find: '...(isKeyed(write) && { keep:',
    replace: '...(false && { keep:',
    because: 'a repeat is done once more',
    scenario: 'repeat',
  },
  {
    rule: 'a refusal is kept under its key',
    file: 'customers/writes.ts',
    find: 'const results = await storeUnchangedResults(db, scope, writes, committed)',
    replace: 'const results = committed',
    because: 'a repeat is done, after its caller got a refusal',
    scenario: 'repeat of a refusal',
  },
]
