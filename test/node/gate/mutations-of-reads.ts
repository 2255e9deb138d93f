/** The rules of writes and cached reads, each broken. What this is for: mutations.ts. */

import type { Edit, Mutation } from './mutations.ts'

/** A write log so short that it is pruned all the time. */
export const SHORT_LOG: readonly Edit[] = [
  { file: 'constants.ts', find: 'export const WRITE_LOG_ROWS = 2_048', replace: 'export const WRITE_LOG_ROWS = 6' },
  { file: 'write-log.ts', find: 'const PRUNE_EVERY_WRITES = 256', replace: 'const PRUNE_EVERY_WRITES = 2' },
]

/** A write log of one row. */
export const LOG_OF_ONE: readonly Edit[] = [
  { file: 'constants.ts', find: 'export const WRITE_LOG_ROWS = 2_048', replace: 'export const WRITE_LOG_ROWS = 1' },
  { file: 'write-log.ts', find: 'const PRUNE_EVERY_WRITES = 256', replace: 'const PRUNE_EVERY_WRITES = 1' },
]

/** A sketch so small that every bucket holds several ids, and is kept as an array. */
export const SMALL_SKETCH: readonly Edit[] = [
  { file: 'constants.ts', find: 'export const SKETCH_BUCKETS = 1_024', replace: 'export const SKETCH_BUCKETS = 6' },
  { file: 'freshness.ts', find: 'const SPARSE_MAX = 96', replace: 'const SPARSE_MAX = 3' },
]

/**
 * Intents are looked up long before they are decided: when to look is a guess, and only the answer says whether it was
 * right.
 */
export const EARLY_LOOKS: readonly Edit[] = [
  {
    file: 'write-log.ts',
    find: '(row) => row.deadlineMs + INTENT_GRACE_MS <= d1Ms',
    replace: '(row) => row.deadlineMs + d1Ms > 0',
  },
]

export const MUTATIONS_OF_READS: Mutation[] = [
  {
    rule: '3 a lease expires counted from its send time',
    file: 'lease-exchange.ts',
    find: 'state.leasedUntilMs = sentAtMs + lifeMs',
    replace: 'state.leasedUntilMs = nowMs + lifeMs',
    because: 'values are judged by a lease that is older than a second',
    seed: 20,
  },
  {
    rule: '6 a value is stamped with what its read saw, not with when it was put',
    file: 'fresh-read.ts',
    find: 'const fresh = { asof: stamp.asof, value: read.value }',
    replace: 'const fresh = { asof: view.stable, value: read.value }',
    because: 'the view learned of a write while the read that did not see it was under way',
  },
  {
    rule: '6 a stamp does not reach beyond a write under way',
    file: 'freshness.ts',
    find: 'return { asof: view.stable, bookmark: view.bookmark }',
    replace: 'return { asof: view.seq, bookmark: view.bookmark }',
    because: 'the value passes for newer than a write it did not see',
  },
  {
    rule: '6 a stamp reaches up to the first write under way',
    file: 'freshness.ts',
    find: 'return { asof: view.stable, bookmark: view.bookmark }',
    replace: 'return { asof: view.stable - 1, bookmark: view.bookmark }',
    because: 'what was just read passes for older than the last write',
  },
  {
    rule: '6 a value is judged by its tags',
    file: 'freshness.ts',
    find: 'if (view.lastChange(buckets[at] as number) > asof) return false',
    replace: 'void at',
    because: 'it is taken for good for ever',
  },
  {
    rule: '6 a value is judged by the floor',
    file: 'freshness.ts',
    find: 'if (asof < view.floor) return false',
    replace: '',
    because: 'its change was forgotten with the log row that recorded it',
    seed: 6,
    with: SHORT_LOG,
  },
  {
    rule: '6 the floor rises over what a view has missed',
    file: 'freshness.ts',
    find: 'if (delta.floor > this.seq) this.floor = delta.floor',
    replace: '',
    because: 'its change was forgotten with the log row that recorded it',
    seed: 6,
    with: SHORT_LOG,
  },
  {
    rule: '6 changes only rise',
    file: 'freshness.ts',
    find: 'if (seq > (sparse.get(bucket) ?? 0)) sparse.set(bucket, seq)',
    replace: 'sparse.set(bucket, seq)',
    because: 'a lease that was overtaken takes a change back',
    seed: 54,
  },
  {
    rule: '6 changes only rise, in the array too',
    file: 'freshness.ts',
    find: 'if (seq > (this.#dense[bucket] ?? 0)) this.#dense[bucket] = seq',
    replace: 'this.#dense[bucket] = seq',
    because: 'a lease that was overtaken takes a change back',
    seed: 7,
    with: SMALL_SKETCH,
  },
  {
    rule: '6 what is pending is taken from the newest lease',
    file: 'freshness.ts',
    find: 'if (newest) {',
    replace: 'if (newest || delta.seq) {',
    because: 'a lease that was overtaken knows nothing of the write under way',
  },
  {
    rule: '7 the change is marked before the commit',
    file: 'write-log.ts',
    find: 'this.#ledger.begin(row.buckets)',
    replace: 'this.#ledger.begin([])',
    because: 'a lease given out meanwhile calls the old value good',
  },
  {
    rule: '7 the intent is stored before the commit',
    file: 'write-log.ts',
    find: 'this.#storage.insertWrite(row)\n    this.#ledger.begin(row.buckets)',
    replace: 'this.#ledger.begin(row.buckets)',
    because: 'the gate that starts next knows nothing of a commit that is still to come',
  },
  {
    rule: '7 an intent is under way after a restart too',
    file: 'freshness.ts',
    find: 'if (row.pending) ledger.#pending.set(row.seq, row.buckets)',
    replace: '',
    because: 'its commit is still to come, and stamps already pass it',
    seed: 8,
  },
  {
    rule: '7 an intent is looked up only when it can no longer be committed',
    file: 'write-log.ts',
    find: 'return (this.#intents.get(seq)?.deadlineMs ?? 0) + INTENT_GRACE_MS <= d1Ms',
    replace: 'return seq > 0 || d1Ms > 0',
    because: 'it is committed after it was taken for dead',
    with: EARLY_LOOKS,
  },
  {
    rule: 'clocks 9: deadlines go by the time that D1’s answers bring',
    file: 'gate-core.ts',
    find: 'return this.#d1.now(Math.max(this.#nowMs, atMs))',
    replace: 'return Math.max(this.#nowMs, atMs)',
    because: 'every write of a gate that lost time is refused as too late until the gate starts again',
    seed: 4,
  },
  {
    rule: '7 a pending row is never pruned',
    file: 'write-log.ts',
    find: 'Math.min(seq - WRITE_LOG_ROWS, this.#ledger.stable + 1)',
    replace: 'seq - WRITE_LOG_ROWS',
    because: 'a restart forgets that it is under way',
    case: 'a write under way stays under way, however many follow it',
  },
  {
    rule: '7 a pending id is read from the primary',
    file: 'fresh-read.ts',
    find: "pending || bookmark === null ? 'primary'",
    replace: "bookmark === null ? 'primary'",
    because: 'no bookmark covers a commit that nobody has settled',
  },
  {
    rule: '7 every other read uses the bookmark of the lease',
    file: 'fresh-read.ts',
    find: "'primary' : { bookmark }",
    replace: "'primary' : 'anywhere'",
    because: 'a replica is as old as it likes',
  },
  {
    rule: '7 the bookmark never goes back',
    file: 'freshness.ts',
    find: 'this.#bookmark = laterBookmark(this.#bookmark, bookmark)',
    replace: 'this.#bookmark = bookmark',
    because: 'of two writes the one that was settled first may have been committed last',
    case: 'the bookmark of a lease covers every settled write',
  },
  {
    rule: '7 a new row carries the bookmark of all before it',
    file: 'write-log.ts',
    find: 'const row = { ...intent, bookmark: this.#ledger.bookmark }',
    replace: 'const row = { ...intent }',
    because: 'the row that was committed last may be pruned first',
    with: LOG_OF_ONE,
    case: 'the bookmark of a pruned write outlives a restart',
  },
  {
    rule: '7 an early read counts only if it saw what the lease stands for',
    file: 'fresh-read.ts',
    find: 'guess && reaches(guess.bookmark, bookmark) ? guess',
    replace: 'guess ? guess',
    because: 'it was answered by any replica',
    seed: 3,
  },
  {
    rule: '7 an early read does not count for a pending id',
    file: 'fresh-read.ts',
    find: 'early && !pending ?',
    replace: 'early ?',
    because: 'a commit that nobody has settled is not in it',
    case: 'an early read does not count while a write is under way',
  },
  {
    rule: '7 an early read counts for a token only if it reached its bookmark',
    file: 'fresh-read.ts',
    find: 'reaches(guess.bookmark, bookmark)',
    replace: 'reaches(guess.bookmark, stamp.bookmark)',
    because: 'the write of the token is not in it',
    case: 'an early read does not count for a token whose write it has not seen',
  },
  {
    rule: '8 a KV null means nothing',
    file: 'fresh-read.ts',
    find: 'const found = await (early ? early.kv : ports.kv())',
    replace: 'const found = (await (early ? early.kv : ports.kv())) ?? { asof: stamp.asof, value: null }',
    because: 'there is somebody of whom KV has not heard',
  },
  {
    rule: 'token: an older view does not judge for it',
    file: 'fresh-read.ts',
    find: 'return token === null || view.seq >= token.seq',
    replace: 'return token === null || view.seq >= 0',
    because: 'the view does not know of the write',
  },
  {
    rule: 'token: its bookmark counts',
    file: 'fresh-read.ts',
    find: 'token.seq > stamp.asof ? token.bookmark : null',
    replace: 'token.seq > stamp.asof ? null : token.bookmark',
    because: 'the bookmark of the lease is that of an earlier write',
  },
  {
    rule: 'strong: the write is answered when no older lease lives',
    file: 'gate-core.ts',
    find: 'return { seq, strongInMs: this.#waits.allMs(nowMs) }',
    replace: 'return { seq, strongInMs: 0 * nowMs }',
    because: 'isolates that do not know of it answer from memory',
  },
  {
    rule: 'every write changes the lists',
    file: 'write-log.ts',
    find: 'bucketsOf([LIST_TAG, ...tags])',
    replace: 'bucketsOf(tags)',
    because: 'a list is taken for good for ever',
  },
  {
    rule: 'set back: the log begins anew',
    file: 'gate-core.ts',
    find: 'this.#log.startAnew()',
    replace: '',
    because: 'what was read from the D1 that is gone passes for good',
    setsBack: true,
  },
  {
    rule: 'set back: the floor rises above every number an isolate has seen',
    file: 'write-log.ts',
    find: 'this.#ledger.seq + 2',
    replace: 'this.#ledger.seq + 1',
    because: 'what was read last from the D1 that is gone passes for good',
    setsBack: true,
  },
  {
    rule: 'set back: the rows of before are gone for a restart too',
    file: 'write-log.ts',
    find: 'this.#openAt(seq)\n    this.#storage.pruneWrites(seq)',
    replace: 'this.#openAt(seq)',
    because: 'the gate that starts next has the bookmarks of the D1 that is gone',
    seed: 6,
    setsBack: true,
  },
  {
    rule: 'set back: a write under way stays under way',
    file: 'write-log.ts',
    find: 'for (const row of underWay) this.#insert({ ...row, seq: this.#ledger.seq + 1 })',
    replace: 'void underWay',
    because: 'it is committed in D1 as it is now, and no lease knows of it',
    seed: 7,
    setsBack: true,
  },
  {
    rule: 'set back: a number of before settles nothing',
    file: 'write-log.ts',
    find: 'if (seq <= this.#ledger.floor) return',
    replace: '',
    because: 'the bookmark of the D1 that is gone is handed out again',
    seed: 14,
    setsBack: true,
  },
  {
    rule: 'set back: a token that the lease covers is not waited for',
    file: 'fresh-read.ts',
    find: 'token && token.seq > stamp.asof ? token.bookmark : null',
    replace: 'token?.bookmark ?? null',
    because: 'D1 never reaches the bookmark',
    setsBack: true,
  },
]
