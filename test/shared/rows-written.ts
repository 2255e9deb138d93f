/**
 * The rows that each operation writes, as Cloudflare bills them. The tests named beside each measure them in a real D1 or Durable
 * Object, and the bill in docs/ is made from them (`npm run docs`), so a number that changes changes the page.
 */

/** `test/workers/storage/costs.test.ts`. */
export const CHANGE_ROWS = {
  create: 14,
  'create with e-mail, parent, integration': 16,
  'create, external id taken, answered with its customer': 0,
  'update of a name': 9,
  'update that changes nothing': 0,
  'update of the case and the accents of a name': 8,
  'update of metadata': 7,
  'update of the status': 9,
  'update of the e-mail address': 9,
  'update of the external id': 13,
  'update of the parent': 8,
  archive: 11,
  restore: 11,
} as const

/** `test/workers/events/costs.test.ts`: the rows of a change for each endpoint that wants it, and the rows of attempts. */
export const WEBHOOK_ROWS = { queued: 4, delivered: 6, failed: 9, hurried: 3 } as const

/** `test/workers/storage/gate-rows.test.ts`: the rows of a gate for a batch of changes, at its alarm, each time it saves its state, and for the first use of a key in a minute. */
export const GATE_ROWS = { insert: 1, prune: 1, stable: 1, state: 1, use: 1 } as const
