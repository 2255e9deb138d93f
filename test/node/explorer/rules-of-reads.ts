/**
 * Which scenario shows each rule of writes and reads: with the rule broken (test/node/gate/mutations-of-reads.ts) the explorer must
 * find a counter-example there. Or why none can.
 */

const NO_SET_BACK = { because: 'D1 is not set back here: reads-model.ts does it at random' }

export const RULES_OF_READS: Record<string, string | { because: string }> = {
  '3 a lease expires counted from its send time': 'slow lease',
  '6 a value is stamped with what its read saw, not with when it was put': 'short log',
  '6 a stamp does not reach beyond a write under way': 'hot',
  '6 a stamp reaches up to the first write under way': {
    because: 'it makes no read wrong, only slower: reads-model.ts counts it',
  },
  '6 a value is judged by its tags': 'hot',
  '6 a value is judged by the floor': 'short log',
  '6 the floor rises over what a view has missed': 'short log',
  '6 changes only rise': 'overtaken',
  '6 changes only rise, among many too': 'overtaken with one place',
  '6 a change that is older than those that lost their place takes none': 'overtaken with one place',
  '6 a change that loses its place goes into a filter': 'in filters',
  '6 a filter answers for values from before its last change': 'in filters',
  '6 a value from before what the filters know counts as changed': 'forgotten by the isolate',
  '6 the floor of a lease is above what the gate has dropped': 'forgotten by the gate',
  '6 what is pending is taken from the newest lease': 'overtaken by a slow write',
  '7 the change is marked before the commit': 'hot',
  '7 the intent is stored before the commit': 'gate ahead of D1',
  '7 an intent is under way after a restart too': 'gate ahead of D1',
  '7 an intent is looked up only when it can no longer be committed': 'gate ahead of D1',
  'clocks 9: deadlines go by the time that D1’s answers bring': {
    because: 'it makes no read wrong: writes would fail until the gate starts again, as reads-model.ts shows',
  },
  'clocks 9: only an answer of D1 says that a write is too late': 'gate ahead of D1',
  '7 a pending row is never pruned': 'short log and a slow write',
  '7 a pending id is read from the primary': 'cold',
  '7 every other read uses the bookmark of the lease': 'hot',
  '7 the bookmark never goes back': 'cold',
  '7 a new row carries the bookmark of all before it': 'short log and two slow writes',
  '7 an early read counts only if it saw what the lease stands for': 'cold',
  '7 an early read counts only in the database of the lease': 'moved',
  '7 a read is at the database of the lease': 'moved',
  '7 an early read does not count for a pending id': 'cold',
  '7 an early read counts for a token only if it reached its bookmark': 'cold',
  '8 a KV null means nothing': 'hot',
  'token: an older view does not judge for it': 'token',
  'token: its bookmark counts': 'cold',
  'strong: the write is answered when no older lease lives': 'hot and strong',
  'every write changes the lists': 'list',
  'move: the log begins anew': 'moved under a slow write',
  'move: writes begin when no older lease is alive': 'moved',
  'move: writes wait after a restart too': 'restarted after a move',
  'set back: the log begins anew': NO_SET_BACK,
  'set back: the floor rises above every number an isolate has seen': NO_SET_BACK,
  'set back: the rows of before are gone for a restart too': NO_SET_BACK,
  'set back: a write under way stays under way': NO_SET_BACK,
  'set back: a number of before settles nothing': NO_SET_BACK,
  'set back: a token that the lease covers is not waited for': NO_SET_BACK,
}
