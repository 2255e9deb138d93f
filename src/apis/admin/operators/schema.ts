/** Schemas of the requests about operators and their keys. */
import * as z from 'zod'
import { ROLES } from '../../../operators/operator.ts'
import { email, issue, requiredText, text } from '../../../validation/fields.ts'
import { KEY_NAME_LENGTH_MAX, optionalTime } from '../fields.ts'

const NAME_LENGTH_MAX = 255

const name = requiredText(NAME_LENGTH_MAX)
const role = z.enum(ROLES)
const address = email.check((context) => {
  if (context.value !== '') return
  context.issues.push(issue('', 'is empty', 'send an address such as ada@example.com'))
})

export const operatorCreate = z.object({ name, email: address, role })
export const operatorUpdate = z.object({ name, email: address, role }).partial()

export const operatorKeyCreate = z.object({
  name: text(KEY_NAME_LENGTH_MAX).nullish(),
  expires_at: optionalTime.optional(),
})
