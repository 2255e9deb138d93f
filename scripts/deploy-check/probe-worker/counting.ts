/** A Worker that is deployed and never called: only whether its binding to Analytics Engine is accepted matters. */
export default {
  fetch: () => new Response(null, { status: 404 }),
} satisfies ExportedHandler
