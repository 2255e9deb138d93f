/**
 * A call as a curl command for a POSIX shell, which does the same. Pure.
 */
import type { Call } from './call.ts'

/** Variable of the shell that holds the caller's credential: the command never has a secret in it. */
export type CredentialName = 'OPERATOR_KEY' | 'KEY'

/** A call whose body is a file, which the command reads from the folder that it runs in. */
export interface FileCall extends Call {
  file?: { name: string; type: string }
}

/** Returns the command. `origin` is the Roster's, such as `https://roster.acme.workers.dev`. */
export function curlOf(
  { method, path, body, headers, file }: FileCall,
  origin: string,
  credential: CredentialName,
): string {
  const isRead = method === 'GET'
  const lines = [
    `curl ${isRead ? '' : `-X ${method} `}${quoted(`${origin}${path}`)}`,
    credential === 'KEY' ? '-H "authorization: Bearer $KEY"' : '-H "x-api-key: $OPERATOR_KEY"',
    ...Object.entries(headers).map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`),
    ...(body === undefined
      ? []
      : [
          "-H 'content-type: application/json'",
          `-d ${quoted(typeof body === 'string' ? body : JSON.stringify(body))}`,
        ]),
    ...(file ? [`-H ${quoted(`content-type: ${file.type}`)}`, `--data-binary ${quoted(`@${file.name}`)}`] : []),
  ]
  return lines.join(' \\\n  ')
}

/** Returns the text as one word of a POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
