/**
 * No way into private networks through webhooks: the URLs that Roster refuses to send to, whatever a tenant writes and
 * whatever his name resolves to.
 */
import fc from 'fast-check'
import ipaddr from 'ipaddr.js'
import { describe, expect, it } from 'vitest'
import { isPublicAddress, problemOfDestination } from '../../../src/events/destination.ts'
import { resolveOverHttps } from '../../../src/events/resolve.ts'

const PUBLIC = '93.184.215.14'

/** The names of these tests with their addresses. Any other name is public. */
const NAMES: Record<string, string[]> = {
  'missing.example.com': [],
  'loopback.example.com': ['127.0.0.1'],
  'metadata.example.com': ['169.254.169.254'],
  'one-of-two.example.com': [PUBLIC, '10.0.0.7'],
  'six.example.com': [PUBLIC, 'fd00:ec2::254'],
  'azure.example.com': ['168.63.129.16'],
  'unassigned.example.com': ['4000::1'],
  'nat64.example.com': ['64:ff9b::7f00:1'],
  '6to4.example.com': ['2002:a9fe:a9fe::1'],
  'mapped.example.com': ['::ffff:10.0.0.1'],
  'garbage.example.com': ['not an address'],
  '127.0.0.1.nip.io': ['127.0.0.1'],
  'both.example.com': [PUBLIC, '2606:2800:21f:cb07:6820:80da:af6b:8b2c'],
}

const resolve = async (name: string) => NAMES[name] ?? [PUBLIC]
const problemOf = (url: string, allowLocal = false) => problemOfDestination(url, { resolve, allowLocal })

const HOSTILE: Record<string, string[]> = {
  'loopback, in any notation': [
    'https://127.0.0.1/',
    'https://127.1/',
    'https://127.0.1/',
    'https://2130706433/',
    'https://0x7f000001/',
    'https://0x7f.0.0.1/',
    'https://0177.0.0.1/',
    'https://0177.0x0.1/',
    'https://127.0.0.1./',
    'https://１２７.０.０.１/',
    'https://127。0。0。1/',
    'https://%31%32%37.0.0.1/',
    'https://127.255.255.254/',
    'https://0.0.0.0/',
    'https://0/',
    'https://[::1]/',
    'https://[::]/',
    'https://[0:0:0:0:0:0:0:1]/',
  ],
  'an IPv4 address inside an IPv6 one': [
    'https://[::ffff:127.0.0.1]/',
    'https://[::ffff:7f00:1]/',
    'https://[::ffff:8.8.8.8]/',
    'https://[::127.0.0.1]/',
    'https://[::ffff:0:127.0.0.1]/',
    'https://[64:ff9b::7f00:1]/',
    'https://[64:ff9b:1::a00:1]/',
    'https://[2002:7f00:1::]/',
    'https://[2002:a9fe:a9fe::1]/',
    'https://[2001:0:a9fe:a9fe::1]/',
  ],
  'private and special networks': [
    'https://10.0.0.1/',
    'https://172.16.0.1/',
    'https://172.31.255.255/',
    'https://192.168.1.1/',
    'https://3232235777/',
    'https://100.64.0.1/',
    'https://169.254.10.10/',
    'https://192.0.0.8/',
    'https://198.18.0.1/',
    'https://203.0.113.7/',
    'https://224.0.0.1/',
    'https://240.0.0.1/',
    'https://255.255.255.255/',
    'https://[fe80::1]/',
    'https://[fec0::1]/',
    'https://[fc00::1]/',
    'https://[fd12:3456:789a::1]/',
    'https://[ff02::1]/',
    'https://[100::1]/',
    'https://[2001:db8::1]/',
    'https://[3fff::1]/',
    'https://[5f00::1]/',
    'https://[4000::1]/',
  ],
  'metadata of a cloud': [
    'https://169.254.169.254/latest/meta-data/',
    'https://0xa9fea9fe/',
    'https://2852039166/',
    'https://[::ffff:169.254.169.254]/',
    'https://[fd00:ec2::254]/',
    'https://100.100.100.200/',
    'https://192.0.0.192/',
    'https://168.63.129.16/',
    'https://metadata.google.internal/',
    'https://metadata/',
  ],
  'names that are not public': [
    'https://localhost/',
    'https://LOCALHOST/',
    'https://localhost./',
    'https://a.localhost/',
    'https://ⓛocalhost/',
    'https://printer.local/',
    'https://db.internal/',
    'https://router.lan/',
    'https://server.corp/',
    'https://nas.home.arpa/',
    'https://hidden.onion/',
    'https://intranet/',
  ],
  'names that lead elsewhere': [
    'https://loopback.example.com/',
    'https://metadata.example.com/',
    'https://one-of-two.example.com/',
    'https://six.example.com/',
    'https://azure.example.com/',
    'https://unassigned.example.com/',
    'https://nat64.example.com/',
    'https://6to4.example.com/',
    'https://mapped.example.com/',
    'https://garbage.example.com/',
    'https://127.0.0.1.nip.io/',
    'https://missing.example.com/',
  ],
  'anything but HTTPS': [
    'http://hooks.example.com/',
    'http://93.184.215.14/',
    'ftp://hooks.example.com/',
    'file:///etc/passwd',
    'gopher://hooks.example.com/',
    'ws://hooks.example.com/',
    'data:text/plain,hello',
    'javascript:alert(1)',
    '//hooks.example.com/',
    'hooks.example.com',
    '',
  ],
  'public addresses': ['https://93.184.215.14/', 'https://[2606:2800:21f:cb07:6820:80da:af6b:8b2c]/'],
  'what hides where it goes': [
    'https://user:password@hooks.example.com/',
    'https://user@hooks.example.com/',
    'https://hooks.example.com@127.0.0.1/',
    'https://127.0.0.1\\@hooks.example.com/',
    'https:\\\\hooks.example.com/',
    'https://hooks.exa\nmple.com/',
    ' https://hooks.example.com/',
    'https://hooks.example.com/\0',
    'https://hooks.example.com/#fragment',
    `https://hooks.example.com/${'x'.repeat(2_048)}`,
  ],
  'ports of other services': [
    'https://hooks.example.com:22/',
    'https://hooks.example.com:25/',
    'https://hooks.example.com:80/',
    'https://hooks.example.com:0/',
    'https://hooks.example.com:65536/',
  ],
}

describe('refuses as a destination', () => {
  it.each(Object.entries(HOSTILE))('%s', async (_, urls) => {
    for (const url of urls) {
      const problem = await problemOf(url)
      expect(problem, url).toMatchObject({ message: expect.any(String), fix: expect.any(String) })
      // The refusal reveals no address that the name resolves to.
      expect(JSON.stringify(problem)).not.toMatch(/\d+\.\d+\.\d+\.\d+/)
    }
  })

  it('covers all of a long list', () => {
    expect(Object.values(HOSTILE).flat().length).toBeGreaterThan(100)
  })

  it('refuses every literal address, in any notation: a Worker could not call it anyway', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: 0xffff_ffff }),
        fc.constantFrom('decimal', 'hex', 'octal', 'dotted', 'mapped'),
        async (number, notation) => {
          const bytes = [24, 16, 8, 0].map((shift) => (number >>> shift) & 255)
          const host = {
            decimal: String(number),
            hex: `0x${number.toString(16)}`,
            octal: bytes.map((byte) => `0${byte.toString(8)}`).join('.'),
            dotted: bytes.join('.'),
            mapped: `[::ffff:${bytes.join('.')}]`,
          }[notation]
          expect(await problemOf(`https://${host}/`), host).not.toBeNull()
        },
      ),
      { numRuns: 2_000 },
    )
    await fc.assert(
      fc.asyncProperty(fc.ipV6(), async (text) => {
        expect(await problemOf(`https://[${text}]/`), text).not.toBeNull()
      }),
    )
  })

  it('refuses a name with any address that is not global unicast', async () => {
    await fc.assert(
      fc.asyncProperty(fc.ipV4(), fc.boolean(), async (dotted, isMapped) => {
        const address = isMapped ? `::ffff:${dotted}` : dotted
        const rules = { resolve: async () => [PUBLIC, address], allowLocal: false }
        const isPublic = !isMapped && ipaddr.IPv4.parse(dotted).range() === 'unicast'
        expect((await problemOfDestination('https://any.example.com/', rules)) === null, address).toBe(isPublic)
      }),
      { numRuns: 2_000 },
    )
  })

  it('refuses a name with any IPv6 address outside 2000::/3', () => {
    fc.assert(
      fc.property(fc.ipV6(), (text) => {
        const [first = 0] = ipaddr.IPv6.parse(text).parts
        if (first < 0x2000 || first > 0x3fff) expect(isPublicAddress(text), text).toBe(false)
      }),
      { numRuns: 2_000 },
    )
  })

  it('refuses a name that it cannot look up, and says that this is temporary', async () => {
    const rules = { resolve: () => Promise.reject(new Error('no resolver')), allowLocal: false }
    await expect(problemOfDestination('https://hooks.example.com/', rules)).rejects.toThrow('no resolver')
  })
})

describe('accepts as a destination', () => {
  it.each([
    'https://hooks.example.com/roster?x=1',
    'https://hooks.example.com:8443/',
    'https://both.example.com/',
    'https://bücher.example/',
    'https://localhost.example.com/',
    'https://internal.example.com/',
    'https://corporate.example/',
  ])('%s', async (url) => {
    expect(await problemOf(url)).toBeNull()
  })

  it('accepts this machine only where that is allowed, and then nothing else that is not public', async () => {
    const local = ['http://127.0.0.1:8080/', 'http://localhost/', 'https://[::1]:9/', 'http://127.0.0.2:1/']
    for (const url of local) {
      expect([url, await problemOf(url, true)]).toEqual([url, null])
      expect([url, (await problemOf(url)) === null]).toEqual([url, false])
    }
    const others = [
      'http://10.0.0.1/',
      'https://169.254.169.254/',
      'http://hooks.example.com/',
      'http://user@127.0.0.1/',
      'ftp://127.0.0.1/',
      'https://loopback.example.com/',
    ]
    for (const url of others) expect([url, (await problemOf(url, true)) === null]).toEqual([url, false])
  })
})

describe('the look-up of a name', () => {
  const answers = (records: Record<string, object>) => {
    const requestedUrls: string[] = []
    const fetcher = (async (url: string) => {
      requestedUrls.push(url)
      const type = new URL(url).searchParams.get('type') ?? ''
      return Response.json(records[type] ?? { Status: 0 })
    }) as unknown as typeof fetch
    return { requestedUrls, fetcher }
  }

  it('goes over HTTPS, for addresses of both kinds, past its aliases', async () => {
    const { requestedUrls, fetcher } = answers({
      A: {
        Status: 0,
        Answer: [
          { type: 5, data: 'alias.example.com.' },
          { type: 1, data: PUBLIC },
        ],
      },
      AAAA: { Status: 0, Answer: [{ type: 28, data: '2606:2800::1' }] },
    })
    expect(await resolveOverHttps(fetcher, () => 0)('both.example.com')).toEqual([PUBLIC, '2606:2800::1'])
    expect(requestedUrls).toEqual([
      'https://cloudflare-dns.com/dns-query?name=both.example.com&type=A',
      'https://cloudflare-dns.com/dns-query?name=both.example.com&type=AAAA',
    ])
  })

  it('returns none for a name without addresses, and fails if the resolver fails', async () => {
    const none = answers({ A: { Status: 3 }, AAAA: { Status: 3 } })
    expect(await resolveOverHttps(none.fetcher, () => 0)('none.example.com')).toEqual([])
    const broken = answers({ A: { Status: 2 }, AAAA: { Status: 0 } })
    await expect(resolveOverHttps(broken.fetcher, () => 0)('broken.example.com')).rejects.toThrow('code 2')
    const away = (async () => new Response('', { status: 502 })) as unknown as typeof fetch
    await expect(resolveOverHttps(away, () => 0)('away.example.com')).rejects.toThrow('502')
  })

  it('is repeated after half a minute, so that a changed name cannot lead elsewhere for long', async () => {
    const { requestedUrls, fetcher } = answers({ A: { Status: 0, Answer: [{ type: 1, data: PUBLIC }] } })
    let nowMs = 0
    const look = resolveOverHttps(fetcher, () => nowMs)
    for (nowMs of [0, 10_000, 29_999]) await look('again.example.com')
    expect(requestedUrls).toHaveLength(2)
    nowMs = 30_000
    await look('again.example.com')
    expect(requestedUrls).toHaveLength(4)
  })
})
