/** `npm run tenant -- create "Acme" --tier scale`: tenants in a terminal. tenant-commands.mjs has the commands. */
import { runProgram } from './admin-command.mjs'
import { COMMANDS } from './tenant-commands.mjs'

await runProgram({
  name: 'tenant',
  commands: COMMANDS,
  note: 'A <tenant> is its id, or its company name if only one tenant has it.',
})
