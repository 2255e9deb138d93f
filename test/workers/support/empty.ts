/** Runs before each file of `EMPTIED` in `vitest.config.ts`: removes all that the files before it stored. */
import { reset } from 'cloudflare:test'

await reset()
