/**
 * Checks the structure of the OpenAPI document as generators of clients read it, beyond what the types of `build.ts` hold:
 * references, components, path parameters, responses, credentials. Pure. `check.ts` runs it, and has the rules about texts
 * and names.
 */
import { type Json, resolved } from './json-schema.ts'

/** Paths that no caller can get wrong. The others answer with a 4xx too. */
const WITHOUT_4XX = new Set(['/', '/docs', '/healthz', '/openapi.json', '/readyz'])

/** Returns a sentence for each reference that leads to nothing, and for each component that nothing refers to. */
export function referenceProblems(document: Json): string[] {
  const named = new Set<string>()
  const problems: string[] = []
  for (const open: Json[] = [document]; open.length > 0; ) {
    const value = open.pop()
    if (typeof value !== 'object' || value === null) continue
    if (typeof value.$ref === 'string') {
      named.add(value.$ref)
      if (resolved(document, value) === undefined) problems.push(`${value.$ref} leads to nothing`)
    }
    open.push(...Object.values(value))
  }
  const text = JSON.stringify(document.security ?? []) + JSON.stringify(document.paths)
  for (const [kind, components] of Object.entries<Json>(document.components ?? {})) {
    for (const name of Object.keys(components)) {
      const isUsed =
        kind === 'securitySchemes' ? text.includes(`"${name}":[`) : named.has(`#/components/${kind}/${name}`)
      if (!isUsed) problems.push(`#/components/${kind}/${name} is not used`)
    }
  }
  return problems
}

/** Returns a sentence for each fault of an operation of this path. */
export function structureProblems(document: Json, path: string, operation: Json): string[] {
  const { parameters = [], responses = {}, security = [] } = operation
  const given: Json[] = parameters.map((parameter: Json) => resolved(document, parameter) ?? {})
  const ofPath = given.filter((parameter) => parameter.in === 'path')
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
  const statuses = Object.keys(responses)
  const schemes = security.flatMap((one: Json) => Object.keys(one))
  return [
    JSON.stringify(ofPath.map(({ name }) => name).sort()) !== JSON.stringify(inPath.sort()) &&
      'does not declare exactly the parameters of its path',
    ofPath.some(({ required }) => required !== true) && 'has a path parameter that is not required',
    given.some(({ schema, content }) => !schema && !content) && 'has a parameter without a schema',
    !statuses.some((status) => /^[23]/.test(status)) && 'has no response for success',
    !WITHOUT_4XX.has(path) && !statuses.some((status) => /^4/.test(status)) && 'has no 4xx response',
    schemes.some((name: string) => !document.components.securitySchemes[name]) && 'names an unknown security scheme',
  ].filter((problem) => problem !== false)
}
