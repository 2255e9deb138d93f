/**
 * Makes the load of one round, in a process of its own. Receives its task as a message, and sends the result as one. With
 * `requests`, each connection takes the next one of them, and the first again after the last.
 */
import autocannon from 'autocannon'

process.once('message', async ({ url, headers, connections, seconds, requests, expected = 200 }) => {
  let next = 0
  const takeNext = (request) => Object.assign(request, requests[next++ % requests.length])
  const each = requests && { requests: [{ setupRequest: takeNext }] }
  const result = await autocannon({ url, headers, connections, duration: seconds, pipelining: 1, ...each })
  const count = Object.values(result.statusCodeStats).reduce((sum, status) => sum + status.count, 0)
  const asExpected = result.statusCodeStats[expected]?.count ?? 0
  process.send({
    requestsPerSecond: asExpected / result.duration,
    count,
    others: count - asExpected,
    errors: result.errors,
  })
})
