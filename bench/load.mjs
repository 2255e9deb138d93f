/**
 * Makes the load of one round, in a process of its own. Receives its task as a message, and sends the result as one.
 */
import autocannon from 'autocannon'

process.once('message', async ({ url, headers, connections, seconds }) => {
  const result = await autocannon({ url, headers, connections, duration: seconds, pipelining: 1 })
  process.send({ requestsPerSecond: result['2xx'] / result.duration, non2xx: result.non2xx, errors: result.errors })
})
