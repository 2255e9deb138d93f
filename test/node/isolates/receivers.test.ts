/**
 * Tests receivers that answer oddly: each status with each kind of body, over plain TCP, so that nothing corrects what they
 * send. The status alone decides, whatever becomes of the body.
 */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Cluster, startCluster } from '../support/cluster.ts'
import { bearer, Client, pause, type Tenant } from './client.ts'

const STATUSES = [200, 202, 204, 205, 206, 300, 301, 304, 307, 404, 410, 429, 500, 503]
const REDIRECTS = [301, 307]
/** The body of these is never read. */
const BODILESS = [204, 205, 304]
/** Ends a wait that hangs. */
const SETTLED_MS = 120_000

interface Body {
  /** Written after the status line, with the empty line behind the headers. */
  write(socket: Socket): void
  /** The part of the body that is stored; unset when it depends on the timing. */
  answer?: string
}

const plain = (socket: Socket, headers: string[], body: string | Buffer = '') => {
  socket.write(`${['content-type: text/plain', ...headers].join('\r\n')}\r\n\r\n`)
  socket.write(body)
}
const gzip = 'content-encoding: gzip'
const close = 'connection: close'

const BODIES: Record<string, Body> = {
  empty: { write: (socket) => plain(socket, ['content-length: 0']), answer: '' },
  'of unknown length': {
    write: (socket) => {
      plain(socket, [close], 'ok')
      socket.end()
    },
    answer: 'ok',
  },
  chunked: { write: (socket) => plain(socket, ['transfer-encoding: chunked'], '2\r\nok\r\n0\r\n\r\n'), answer: 'ok' },
  zipped: {
    write: (socket) => {
      const body = gzipSync('ok')
      plain(socket, [gzip, `content-length: ${body.length}`], body)
    },
    answer: 'ok',
  },
  'zipped by name only': { write: (socket) => plain(socket, [gzip, 'content-length: 2'], 'ok'), answer: '' },
  'zipped and cut': {
    write: (socket) => {
      plain(socket, [gzip, close], gzipSync('x'.repeat(5_000)).subarray(0, 15))
      socket.end()
    },
  },
  'in an unknown coding': {
    write: (socket) => plain(socket, ['content-encoding: made-up', 'content-length: 2'], 'ok'),
  },
  'shorter than its length': {
    write: (socket) => {
      plain(socket, ['content-length: 1000'], 'begun')
      setTimeout(() => socket.destroy(), 20)
    },
  },
  'cut within a chunk': {
    write: (socket) => {
      plain(socket, ['transfer-encoding: chunked'], '100\r\nbegun')
      setTimeout(() => socket.destroy(), 20)
    },
  },
  'with a broken chunk': { write: (socket) => plain(socket, ['transfer-encoding: chunked'], 'not a length\r\nok') },
  endless: {
    write: (socket) => {
      plain(socket, [close])
      const more = () => {
        while (!socket.destroyed && socket.write('x'.repeat(65_536)));
      }
      socket.on('drain', more)
      more()
    },
    answer: 'x'.repeat(500),
  },
  slow: {
    write: (socket) => {
      plain(socket, [close], 'a')
      const timer = setInterval(() => socket.write('a'), 100)
      socket.on('close', () => clearInterval(timer))
    },
  },
  'never sent': { write: (socket) => plain(socket, ['content-length: 1000']), answer: '' },
  'not text': {
    write: (socket) => plain(socket, ['content-length: 3'], Buffer.of(65, 0, 0xff)),
    answer: 'A\ufffd\ufffd',
  },
}
const KINDS = Object.keys(BODIES)
/** The kinds of bodies of which no end is sent. */
const UNENDING = ['endless', 'slow', 'never sent']

/** Answers a request to `/<status>/<kind of body>` in that way. */
class Receiver {
  /** Connections on which the receiver goes on sending. */
  readonly unending = new Set<Socket>()
  readonly #open = new Set<Socket>()
  /** Written before the status line. */
  before = ''
  readonly #server: Server

  constructor() {
    this.#server = createServer((socket) => {
      this.#open.add(socket)
      socket.on('close', () => {
        this.unending.delete(socket)
        this.#open.delete(socket)
      })
      socket.on('error', () => undefined)
      let text = ''
      socket.on('data', (chunk) => {
        text += chunk
        const [, length = '0'] = /content-length: (\d+)/i.exec(text) ?? []
        const at = text.indexOf('\r\n\r\n')
        if (at === -1 || text.length < at + 4 + Number(length)) return
        const [, status = '', nth = '0'] = /^POST \/(\d+)\/(\d+) /.exec(text) ?? []
        const kind = KINDS[Number(nth)] ?? ''
        text = ''
        socket.write(`${this.before}HTTP/1.1 ${status} Whatever\r\n`)
        if (UNENDING.includes(kind)) this.unending.add(socket)
        BODIES[kind]?.write(socket)
      })
    })
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  close(): void {
    for (const socket of this.#open) socket.destroy()
    this.#server.close()
  }
}

let cluster: Cluster
let client: Client
let tenant: Tenant
let receiver: Receiver
let origin: string

beforeAll(async () => {
  cluster = await startCluster({ edges: 1 })
  client = new Client(cluster)
  tenant = await client.newTenant({ tier: 'enterprise' })
  receiver = new Receiver()
  origin = await receiver.listen()
})
afterAll(async () => {
  receiver.close()
  await cluster.dispose()
})

function send(method: string, path: string, body?: object) {
  return client.send(0, method, `/v1/webhooks/endpoints${path}`, bearer(tenant.key), body)
}

async function endpointAt(status: number, kind: string): Promise<string> {
  const url = `${origin}/${status}/${KINDS.indexOf(kind)}`
  const { body } = await send('POST', '', { url, event_types: ['customer.created'] })
  expect(body.id).toMatch(/^whe_/)
  return body.id
}

it('takes the status for the outcome, whatever the body is', async () => {
  const outcomes = await Promise.all(
    STATUSES.map(async (status) => {
      const id = await endpointAt(status, 'empty')
      const got: object[] = []
      for (const kind of KINDS) {
        await send('PATCH', `/${id}`, { url: `${origin}/${status}/${KINDS.indexOf(kind)}` })
        const { body } = await send('POST', `/${id}/test`)
        const { delivered, status_code: statusCode, error, answer } = body
        const known = BODILESS.includes(status) ? '' : BODIES[kind]?.answer
        got.push({ status, kind, delivered, statusCode, error, answer: known === undefined ? known : answer })
      }
      await send('DELETE', `/${id}`)
      return got
    }),
  )
  const expected = STATUSES.map((status) =>
    KINDS.map((kind) => ({
      ...{ status, kind, delivered: status < 300, statusCode: status },
      error: REDIRECTS.includes(status) ? 'redirect_not_followed' : null,
      answer: BODILESS.includes(status) ? '' : BODIES[kind]?.answer,
    })),
  )
  expect(outcomes).toEqual(expected)
})

it('does not take an interim response for the outcome', async () => {
  const id = await endpointAt(200, 'chunked')
  receiver.before = 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n'
  const { body } = await send('POST', `/${id}/test`)
  receiver.before = ''
  await send('DELETE', `/${id}`)
  expect(body).toMatchObject({ delivered: true, status_code: 200 })
})

it('ends the connection to a receiver that goes on sending', async () => {
  const deadline = Date.now() + SETTLED_MS
  const ids = await Promise.all(UNENDING.map((kind) => endpointAt(200, kind)))
  for (const id of ids) await send('POST', `/${id}/test`)
  for (const id of ids) await send('DELETE', `/${id}`)
  while (receiver.unending.size > 0 && Date.now() < deadline) await pause(50)
  expect(receiver.unending.size).toBe(0)
})

it('disables an endpoint that answers 410, and delivers to one that answers 2xx, with a body that cannot be read', async () => {
  const gone = await endpointAt(410, 'zipped by name only')
  const well = await endpointAt(200, 'zipped by name only')
  await client.newCustomer(tenant, 'odd')
  const deadline = Date.now() + SETTLED_MS
  const settled = async () => {
    const [{ body: endpoint }, { body: deliveries }] = await Promise.all([
      send('GET', `/${gone}`),
      send('GET', `/${well}/deliveries`),
    ])
    return endpoint.enabled || deliveries.items[0]?.status === 'pending' ? null : { endpoint, deliveries }
  }
  let end = await settled()
  while (!end && Date.now() < deadline) {
    await pause(100)
    end = await settled()
  }
  expect(end?.endpoint).toMatchObject({ enabled: false, disabled_reason: 'gone' })
  expect(end?.deliveries.items).toMatchObject([{ status: 'delivered', attempts: [{ status_code: 200, error: null }] }])
})
