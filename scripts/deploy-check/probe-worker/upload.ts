/**
 * Answers while the request body is still arriving, as an import does: a line at once, and one for each mebibyte read.
 */

const LINE_EVERY_BYTES = 1_048_576

/** NDJSON: `{"read": bytes}` as it goes, `{"read": bytes, "done": true}` at the end. */
export function answerWhileReading(request: Request, context: ExecutionContext): Response {
  const { readable, writable } = new IdentityTransformStream()
  context.waitUntil(count(request.body, writable))
  return new Response(readable, { headers: { 'content-type': 'application/x-ndjson' } })
}

async function count(body: ReadableStream<Uint8Array> | null, writable: WritableStream<Uint8Array>) {
  const writer = writable.getWriter()
  const say = (line: object) => writer.write(new TextEncoder().encode(`${JSON.stringify(line)}\n`))
  let [read, reported] = [0, -LINE_EVERY_BYTES]
  for await (const chunk of body ?? []) {
    read += chunk.byteLength
    if (read - reported < LINE_EVERY_BYTES) continue
    reported = read
    await say({ read })
  }
  await say({ read, done: true })
  await writer.close()
}
