/** `npm run operator -- add ada@acme.com --role support`: operators in a terminal. operator-commands.mjs has the commands. */
import { runProgram } from './admin-command.mjs'
import { COMMANDS } from './operator-commands.mjs'

await runProgram({
  name: 'operator',
  commands: COMMANDS,
  note: 'An <operator> is its id or its e-mail address. Roles: viewer, support, admin, owner.',
})
