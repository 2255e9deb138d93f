/**
 * Makes the OpenAPI document smaller: a response that several operations have in common becomes a component. The Worker
 * does not import this file.
 */

interface Operation {
  tags?: string[]
  responses?: Record<string, unknown>
}

interface Document {
  paths: Record<string, Record<string, Operation>>
  components: Record<string, unknown>
}

/** Moves repeated responses to `components.responses`. Changes the document in place. */
export function shareRepeatedResponses(document: Document): void {
  const answers = Object.values(document.paths)
    .flatMap((methods) => Object.values(methods))
    .flatMap((operation) => Object.keys(operation.responses ?? {}).map((status) => ({ operation, status })))
  const groups = Map.groupBy(answers, ({ operation, status }) =>
    JSON.stringify([status, operation.responses?.[status]]),
  )
  const shared: Record<string, unknown> = {}
  for (const alike of groups.values()) {
    const [first] = alike
    if (!first?.operation.responses || alike.length === 1) continue
    const name = freeName(shared, `${slugOf(first.operation.tags?.[0] ?? '')}-${first.status}`)
    shared[name] = first.operation.responses[first.status]
    for (const { operation, status } of alike) {
      if (operation.responses) operation.responses[status] = { $ref: `#/components/responses/${name}` }
    }
  }
  document.components.responses = shared
}

function slugOf(tag: string): string {
  return tag
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '')
}

function freeName(taken: object, name: string): string {
  let at = 1
  while (Object.hasOwn(taken, at === 1 ? name : `${name}-${at}`)) at++
  return at === 1 ? name : `${name}-${at}`
}
