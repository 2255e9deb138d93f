import { createServer } from 'node:http'
import { text } from 'node:stream/consumers'
import { Webhook } from 'standardwebhooks'

const webhook = new Webhook(process.env.WEBHOOK_SECRET)

createServer(async (request, response) => {
  try {
    // Verify the text as it was received: JSON that was parsed and written again has another signature.
    const { type, data } = webhook.verify(await text(request), request.headers)
    console.log(request.headers['webhook-id'], type, data.customer?.id, data.previous_attributes)
    response.writeHead(204).end()
  } catch {
    response.writeHead(400).end()
  }
}).listen(Number(process.env.PORT ?? 3000))
