/** Sends a large body slowly enough to see the response that arrives meanwhile, which `fetch` does not show. */
import { once } from 'node:events'
import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'

export interface UploadOptions {
  url: URL
  token: string
  signal: AbortSignal
  bytes: number
  /**
   * The client waits after so many bytes for the first line of the response, at most `holdMs`. Null: it sends all at
   * once.
   */
  holdAfterBytes: number | null
  holdMs: number
}

export interface Sent {
  /** The HTTP status; null if the connection was cut before a response. */
  status: number | null
  error: string | null
  answeredWhileHeld: boolean
  /** The bytes that the Worker reports to have read. */
  readBytes: number | null
}

const CHUNK = new Uint8Array(65_536)

/** Sends zeros. Stops early when the answer says that they are not wanted. */
export async function send({ url, token, signal, bytes, holdAfterBytes, holdMs }: UploadOptions): Promise<Sent> {
  const sent: Sent = { status: null, error: null, answeredWhileHeld: false, readBytes: null }
  const request = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/x-ndjson', 'content-length': bytes },
    signal,
  })
  let text = ''
  let isEnded = false
  const ended = new Promise<void>((resolve) => {
    const end = () => {
      isEnded = true
      resolve()
    }
    request.on('error', (error) => {
      sent.error ??= error.message
      end()
    })
    request.on('response', (response) => {
      sent.status = response.statusCode ?? null
      response.setEncoding('utf8')
      response.on('data', (part: string) => {
        text += part
        request.emit('line')
      })
      response.on('error', end)
      response.on('end', end)
    })
  })
  for (let written = 0; written < bytes && !isEnded && (sent.status ?? 200) === 200; written += CHUNK.byteLength) {
    if (written === holdAfterBytes) {
      // A response before the hold counts too: the body has not ended.
      if (text === '') await Promise.race([once(request, 'line'), ended, after(holdMs)])
      sent.answeredWhileHeld = text !== ''
    }
    if (!request.write(CHUNK)) await Promise.race([once(request, 'drain'), ended])
  }
  if ((sent.status ?? 200) === 200 && !isEnded) request.end()
  await Promise.race([ended, answered(request, sent)])
  request.destroy()
  sent.readBytes = readOf(text)
  return sent
}

/** Resolves when an answer other than 200 is there: its body does not matter, and it may never end. */
function answered(request: NodeJS.EventEmitter, sent: Sent): Promise<void> {
  return new Promise((resolve) => {
    const look = () => (sent.status ?? 200) !== 200 && resolve()
    request.on('response', look)
    look()
  })
}

function after(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref())
}

/** The last line of a whole answer says how much was read. */
function readOf(text: string): number | null {
  const last = text.trim().split('\n').at(-1) ?? ''
  try {
    const { read, done } = JSON.parse(last)
    return done ? read : null
  } catch {
    return null
  }
}
