import type { InputProblem } from '../registry/errors.ts'

/** A problem of a value, without the name of its field: `message` follows the name. */
export type Fault = Omit<InputProblem, 'field'>
