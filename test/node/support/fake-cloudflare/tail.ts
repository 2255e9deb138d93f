/** The WebSocket of `wrangler tail`: the connection is accepted, and no line ever arrives. */
import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'

/** RFC 6455. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const CLOSE_FRAME = 0x8

/** Answers the upgrade of a connection, and ends it when its client does. */
export function answerTail(request: IncomingMessage, socket: Duplex): void {
  const { 'sec-websocket-key': key = '', 'sec-websocket-protocol': protocol = '' } = request.headers
  const accept = createHash('sha1').update(`${key}${GUID}`).digest('base64')
  const headers = [
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${accept}`,
    `Sec-WebSocket-Protocol: ${protocol}`,
  ]
  socket.write(`HTTP/1.1 101 Switching Protocols\r\n${headers.join('\r\n')}\r\n\r\n`)
  socket.on('data', (frame: Buffer) => {
    if (((frame[0] ?? 0) & 0xf) === CLOSE_FRAME) socket.end(Buffer.from([0x80 | CLOSE_FRAME, 0]))
  })
  socket.on('error', () => socket.destroy())
}
