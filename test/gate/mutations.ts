/**
 * The rules of the gate, each broken in the source: the model it names must find a violation, or the rule is either
 * untested or not needed. Numbers are those of DESIGN.md, "easy to get wrong".
 *
 * Not in this list, and why:
 * - 5, a synchronous handler, and 9, no shared promise, are about the shells. In the core every method is synchronous by
 *   type, and nothing holds a promise.
 * - 8, the writer never writes the cache through: nothing in the core could. The model's readers fill, as production's.
 * - `settleWrite` touches storage: a ghost that settles in its own memory only harms nobody, for the row stays pending
 *   and the next gate reads the primary. It is `beginWrite` that a ghost must not survive ("the intent is stored").
 * - pending buckets are not asked for in `isGood`: a bucket's last change is marked when the write begins, and no stamp
 *   reaches that number before it is settled, so the question would change nothing. It was left out.
 * - `View.merge` refuses a delta that starts after what the view knows: only a state that was thrown away between ask and
 *   answer could meet one, and then it is the thrown-away state that takes it. A directed test covers it.
 */

/** One rule of the gate, broken. */
export interface Mutation {
  /** What the rule says; the number is that of DESIGN.md's list. */
  rule: string
  file: string
  /** Occurs exactly once in the file. */
  find: string
  replace: string
  /** What goes wrong without the rule. */
  because: string
  /** The model that has to notice. */
  model: 'permits' | 'reads'
  /** A seed that showed it. Only saves time: when it no longer does, the others are tried. */
  seed?: number
  /** What the rule is tried with, when the usual sizes would hide it in a short run. */
  with?: readonly Edit[]
}

export type Edit = Pick<Mutation, 'file' | 'find' | 'replace'>

/** A write log so short that it is pruned all the time. */
export const SHORT_LOG: readonly Edit[] = [
  { file: 'constants.ts', find: 'export const WRITE_LOG_ROWS = 2_048', replace: 'export const WRITE_LOG_ROWS = 6' },
  { file: 'write-log.ts', find: 'const PRUNE_EVERY_WRITES = 256', replace: 'const PRUNE_EVERY_WRITES = 2' },
]

/** A sketch so small that every bucket holds several ids, and is kept as an array. */
export const SMALL_SKETCH: readonly Edit[] = [
  { file: 'constants.ts', find: 'export const SKETCH_BUCKETS = 1_024', replace: 'export const SKETCH_BUCKETS = 6' },
  { file: 'freshness.ts', find: 'const SPARSE_MAX = 96', replace: 'const SPARSE_MAX = 3' },
]

/**
 * The unbroken rules run over at least these seeds in the tests of the two models, and nothing is found there. A run
 * that throws counts as found: then the rule is what keeps the gate from breaking at all.
 */
export const SEEDS_MAX = { permits: 600, reads: 200, readsWithEdits: 45 }

export const MUTATIONS: Mutation[] = [
  {
    rule: '1 the potential cap',
    file: 'bucket.ts',
    find: 'const room = this.#burst - this.#free - this.#outstanding\n',
    replace: 'const room = this.#burst - this.#free\n',
    because: 'permits granted earlier are spent on top of what refilled since',
    model: 'permits',
  },
  {
    rule: '2 late permits come back up to the headroom only',
    file: 'bucket.ts',
    find: 'this.#free += this.#recredit(grant.deadTick, newlyUnspent * UNIT)',
    replace: 'this.#free = Math.min(this.#burst - this.#outstanding, this.#free + newlyUnspent * UNIT)',
    because: 'a bucket that was full in between had lost them',
    model: 'permits',
    seed: 37,
  },
  {
    rule: '2 the headroom is given away once',
    file: 'bucket.ts',
    find: '(this.#headroom[at] as Headroom).room -= back',
    replace: 'void back',
    because: 'several grants get back what only one of them could have left',
    model: 'permits',
    seed: 374,
  },
  {
    rule: '3 a permit expires counted from its send time',
    file: 'edge-lease.ts',
    find: 'keepGrant(state, reply, sentAtMs)',
    replace: 'keepGrant(state, reply, nowMs)',
    because: 'the gate has taken it as spent, and refilled, while it can still be spent',
    model: 'permits',
  },
  {
    rule: '3 the guard',
    file: 'constants.ts',
    find: 'export const GUARD_MS = 50',
    replace: 'export const GUARD_MS = 0',
    because: 'a clock that reads late lets a lease live longer than the gate believes',
    model: 'permits',
  },
  {
    rule: '3 a permit stops a guard early',
    file: 'edge-lease.ts',
    find: 'const expiresAtMs = sentAtMs + ttlMs - GUARD_MS',
    replace: 'const expiresAtMs = sentAtMs + ttlMs',
    because: 'a clock that reads late spends permits the gate has taken as spent',
    model: 'permits',
  },
  {
    rule: '4 after a restart the burst counts as outstanding',
    file: 'gate-core.ts',
    find: 'return Bucket.afterRestart(policy, nowMs, this.#earlierUntilMs - nowMs)',
    replace: 'return new Bucket(policy, nowMs)',
    because: 'permits granted before the restart are spent on top of a full bucket',
    model: 'permits',
  },
  {
    rule: '4 the horizon is stored before a lease that outlives it',
    file: 'gate-core.ts',
    find: 'if (this.#epochStored && nowMs + POLICY_TTL_MS <= this.#horizonMs) return',
    replace: 'if (this.#epochStored) return',
    because: 'the next start takes a busy gate for one that was idle',
    model: 'permits',
  },
  {
    rule: '4 after an idle time the bucket has refilled since the horizon, not longer',
    file: 'bucket.ts',
    find: 'Math.min(bucket.#burst, limits.ratePerSecond * idleMs)',
    replace: 'bucket.#burst',
    because: 'the permits spent just before the horizon are there again at once',
    model: 'permits',
  },
  {
    rule: 'a report is a total',
    file: 'bucket.ts',
    find: 'Math.max(0, spent - grant.spent)',
    replace: 'Math.max(0, spent)',
    because: 'a report that arrives twice makes room for permits that are still out',
    model: 'permits',
    seed: 300,
  },
  {
    rule: 'lower limits: what is free shrinks with them',
    file: 'bucket.ts',
    find: 'this.#free = Math.min(this.#free, this.#burst)',
    replace: '',
    because: 'the old burst is granted once more under the new one',
    model: 'permits',
  },
  {
    rule: 'lower limits: what comes back of an old grant is not granted again',
    file: 'bucket.ts',
    find: 'Math.min(this.#free + newlyUnspent * UNIT, Math.max(0, this.#burst - this.#outstanding))',
    replace: 'this.#free + newlyUnspent * UNIT',
    because: 'permits of the larger burst are granted anew under the smaller one',
    model: 'permits',
    seed: 88,
  },
  {
    rule: 'C2 a change waits for the leases under older versions',
    file: 'gate-core.ts',
    find: 'if (version < policy.version) untilMs = Math.max(untilMs, leasedUntilMs)',
    replace: '',
    because: 'it is answered while they live',
    model: 'permits',
  },
  {
    rule: 'C2 a change waits for the leases of an earlier start',
    file: 'gate-core.ts',
    find: 'let untilMs = this.#earlierUntilMs\n',
    replace: 'let untilMs = 0\n',
    because: 'the gate that started just now knows nothing of them, yet they live',
    model: 'permits',
  },
  {
    rule: 'C2 the policy is stored with the change',
    file: 'gate-core.ts',
    find: 'this.#storage.savePolicy(policy, [...keys])',
    replace: '',
    because: 'a restart brings the old one back',
    model: 'permits',
  },
  {
    rule: 'C2 a policy that is not newer changes nothing',
    file: 'gate-core.ts',
    find: 'if (!this.#policy || policy.version > this.#policy.version) {',
    replace: 'if (!this.#policy || policy.version !== this.#policy.version) {',
    because: 'a change that was overtaken undoes the later one',
    model: 'permits',
  },
  {
    rule: 'a lease that was overtaken, or comes twice, brings nothing',
    file: 'edge-lease.ts',
    find: 'if (!newest) return\n',
    replace: '',
    because: 'permits whose report was answered are spent once more',
    model: 'permits',
  },
  {
    rule: 'C2 verdicts die with the policy they came with',
    file: 'edge-lease.ts',
    find: 'if (versionChanged) state.verdicts.clear()',
    replace: '',
    because: 'a revoked key is admitted from memory',
    model: 'permits',
  },
  {
    rule: 'annual: what is owed counts against the limit',
    file: 'annual.ts',
    find: 'annualLimit - this.#count - this.#owed)',
    replace: 'annualLimit - this.#count)',
    because: 'permits given to several isolates pass it together',
    model: 'permits',
  },
  {
    rule: 'annual: a total is counted once',
    file: 'annual.ts',
    find: 'Math.max(0, tally.admitted - heard.admitted)',
    replace: 'tally.admitted',
    because: 'every ask counts everything again',
    model: 'permits',
  },
  {
    rule: 'annual: the totals that were counted are stored with the count',
    file: 'annual.ts',
    find: 'heardAtMs, owed, awaited }\n',
    replace: 'heardAtMs, owed, awaited }\n      tallies[id].admitted = 0\n',
    because: 'after a restart every isolate is counted from its start again',
    model: 'permits',
  },
  {
    rule: 'annual: a write that was stored with the count is not made up for',
    file: 'gate-core.ts',
    find: 'intent.tickets.filter((ticket) => ticket === this.#saves).length',
    replace: 'intent.tickets.length',
    because: 'a restart counts it from the row and from the log',
    model: 'permits',
  },
  {
    rule: 'annual: writes after the stored count are made up for from the log',
    file: 'gate-core.ts',
    find: 'if (row.seq > countedSeq) this.#annual.admitted(row.uncounted, nowMs)',
    replace: 'void [row, countedSeq]',
    because: 'a restart forgets them',
    model: 'permits',
  },
  {
    rule: 'a raise of the limits is stored with the horizon',
    file: 'gate-core.ts',
    find: 'this.#save(Math.max(this.#horizonMs, nowMs), nowMs)',
    replace: '',
    because: 'the next start takes the new rate for that of the whole idle time',
    model: 'permits',
    seed: 173,
  },
  {
    rule: '3 a lease expires counted from its send time',
    file: 'edge-lease.ts',
    find: 'state.leasedUntilMs = sentAtMs + lifeMs',
    replace: 'state.leasedUntilMs = nowMs + lifeMs',
    because: 'values are judged by a lease that is older than a second',
    model: 'reads',
    seed: 48,
  },
  {
    rule: '6 a value is stamped with what its read saw, not with when it was put',
    file: 'fresh-read.ts',
    find: 'const fresh = { asof: stamp.asof, value: read.value }',
    replace: 'const fresh = { asof: view.stable, value: read.value }',
    because: 'the view learned of a write while the read that did not see it was under way',
    model: 'reads',
  },
  {
    rule: '6 a stamp does not reach beyond a write under way',
    file: 'freshness.ts',
    find: 'return { asof: view.stable, bookmark: view.bookmark }',
    replace: 'return { asof: view.seq, bookmark: view.bookmark }',
    because: 'the value passes for newer than a write it did not see',
    model: 'reads',
  },
  {
    rule: '6 a value is judged by its tags',
    file: 'freshness.ts',
    find: 'if (view.lastChange(buckets[at] as number) > asof) return false',
    replace: 'void at',
    because: 'it is taken for good for ever',
    model: 'reads',
  },
  {
    rule: '6 a value is judged by the floor',
    file: 'freshness.ts',
    find: 'if (asof < view.floor) return false',
    replace: '',
    because: 'its change was forgotten with the log row that told of it',
    model: 'reads',
    seed: 31,
    with: SHORT_LOG,
  },
  {
    rule: '6 the floor rises over what a view has missed',
    file: 'freshness.ts',
    find: 'if (delta.floor > this.seq) this.floor = delta.floor',
    replace: '',
    because: 'its change was forgotten with the log row that told of it',
    model: 'reads',
    seed: 31,
    with: SHORT_LOG,
  },
  {
    rule: '6 changes only rise',
    file: 'freshness.ts',
    find: 'if (seq > (sparse.get(bucket) ?? 0)) sparse.set(bucket, seq)',
    replace: 'sparse.set(bucket, seq)',
    because: 'a lease that was overtaken takes a change back',
    model: 'reads',
    seed: 101,
  },
  {
    rule: '6 changes only rise, in the array too',
    file: 'freshness.ts',
    find: 'if (seq > (this.#dense[bucket] ?? 0)) this.#dense[bucket] = seq',
    replace: 'this.#dense[bucket] = seq',
    because: 'a lease that was overtaken takes a change back',
    model: 'reads',
    seed: 45,
    with: SMALL_SKETCH,
  },
  {
    rule: '6 what is pending is taken from the newest lease',
    file: 'freshness.ts',
    find: 'if (newest) {',
    replace: 'if (newest || delta.seq) {',
    because: 'a lease that was overtaken knows nothing of the write under way',
    model: 'reads',
  },
  {
    rule: '7 the change is marked before the commit',
    file: 'write-log.ts',
    find: 'this.#ledger.begin(buckets)',
    replace: 'this.#ledger.begin([])',
    because: 'a lease given out meanwhile calls the old value good',
    model: 'reads',
  },
  {
    rule: '7 the intent is stored before the commit',
    file: 'write-log.ts',
    find: 'this.#storage.insertWrite(row)\n    this.#ledger.begin(buckets)',
    replace: 'this.#ledger.begin(buckets)',
    because: 'the gate that starts next knows nothing of a commit that is still to come',
    model: 'reads',
  },
  {
    rule: '7 an intent is under way after a restart too',
    file: 'freshness.ts',
    find: 'if (row.pending) ledger.#pending.set(row.seq, row.buckets)',
    replace: '',
    because: 'its commit is still to come, and stamps already pass it',
    model: 'reads',
  },
  {
    rule: '7 an intent is looked up only when it can no longer be committed',
    file: 'write-log.ts',
    find: 'row.deadlineMs + INTENT_GRACE_MS <= atMs',
    replace: 'row.deadlineMs - 10_000 <= atMs',
    because: 'it is committed after it was taken for dead',
    model: 'reads',
  },
  {
    rule: '7 a pending row is never pruned',
    file: 'write-log.ts',
    find: 'Math.min(seq - WRITE_LOG_ROWS, this.#ledger.stable + 1)',
    replace: 'seq - WRITE_LOG_ROWS',
    because: 'a restart forgets that it is under way',
    model: 'reads',
    with: SHORT_LOG,
  },
  {
    rule: '7 a pending id is read from the primary',
    file: 'fresh-read.ts',
    find: "pending || bookmark === null ? 'primary'",
    replace: "bookmark === null ? 'primary'",
    because: 'no bookmark covers a commit that nobody has settled',
    model: 'reads',
  },
  {
    rule: '7 every other read uses the bookmark of the lease',
    file: 'fresh-read.ts',
    find: "'primary' : { bookmark }",
    replace: "'primary' : 'anywhere'",
    because: 'a replica is as old as it likes',
    model: 'reads',
  },
  {
    rule: '7 the bookmark never goes back',
    file: 'freshness.ts',
    find: 'this.#bookmark = laterBookmark(this.#bookmark, bookmark)',
    replace: 'this.#bookmark = bookmark',
    because: 'of two writes the one that was settled first may have been committed last',
    model: 'reads',
    seed: 103,
  },
  {
    rule: '7 an early read counts only if it saw what the lease stands for',
    file: 'fresh-read.ts',
    find: 'guess && reaches(guess.bookmark, bookmark) ? guess',
    replace: 'guess ? guess',
    because: 'it was answered by any replica',
    model: 'reads',
    seed: 13,
  },
  {
    rule: '7 an early read does not count for a pending id',
    file: 'fresh-read.ts',
    find: 'early && !pending ?',
    replace: 'early ?',
    because: 'a commit that nobody has settled is not in it',
    model: 'reads',
    seed: 182,
  },
  {
    rule: '7 an early read counts for a token only if it reached its bookmark',
    file: 'fresh-read.ts',
    find: 'reaches(guess.bookmark, bookmark)',
    replace: 'reaches(guess.bookmark, stamp.bookmark)',
    because: 'the write of the token is not in it',
    model: 'reads',
    seed: 43,
  },
  {
    rule: '8 a KV null means nothing',
    file: 'fresh-read.ts',
    find: 'const found = await (early ? early.kv : ports.kv())',
    replace: 'const found = (await (early ? early.kv : ports.kv())) ?? { asof: stamp.asof, value: null }',
    because: 'there is somebody of whom KV has not heard',
    model: 'reads',
  },
  {
    rule: 'token: an older view does not judge for it',
    file: 'fresh-read.ts',
    find: 'return token === null || view.seq >= token.seq',
    replace: 'return token === null || view.seq >= 0',
    because: 'the view does not know of the write',
    model: 'reads',
  },
  {
    rule: 'token: its bookmark counts',
    file: 'fresh-read.ts',
    find: 'laterBookmark(stamp.bookmark, token?.bookmark ?? null)',
    replace: 'laterBookmark(stamp.bookmark, token && null)',
    because: 'the bookmark of the lease is that of an earlier write',
    model: 'reads',
  },
  {
    rule: 'strong: the write is answered when no older lease lives',
    file: 'gate-core.ts',
    find: 'return { seq, strongInMs: untilMs > nowMs ? untilMs - nowMs + GUARD_MS : 0 }',
    replace: 'return { seq, strongInMs: untilMs - untilMs }',
    because: 'isolates that do not know of it answer from memory',
    model: 'reads',
  },
  {
    rule: 'every write changes the lists',
    file: 'write-log.ts',
    find: 'bucketsOf([LIST_TAG, ...tags])',
    replace: 'bucketsOf(tags)',
    because: 'a list is taken for good for ever',
    model: 'reads',
  },
  {
    rule: '4 a permit taken at the gate itself is under the horizon too',
    file: 'gate-core.ts',
    find: 'const ticket = this.#saves\n    this.#saveIfDue(nowMs)',
    replace: 'const ticket = this.#saves',
    because: 'a gate that only wrote starts again with a full bucket',
    model: 'permits',
  },
]
