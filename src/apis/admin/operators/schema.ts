/** Schemas of the requests about operators and their keys. */
import * as z from 'zod'
import { ROLES } from '../../../operators/operator.ts'
import { lazily } from '../../../shared/lazily.ts'
import { email, issue, requiredText, text } from '../../../validation/fields.ts'
import { KEY_NAME_LENGTH_MAX, optionalTime } from '../fields.ts'

const NAME_LENGTH_MAX = 255

const name = lazily(() => requiredText(NAME_LENGTH_MAX))
const role = lazily(() => z.enum(ROLES))
const address = lazily(() =>
  email.check((context) => {
    if (context.value !== '') return
    context.issues.push(issue('', 'is empty', 'send an address such as ada@example.com'))
  }),
)

export const operatorCreate = lazily(() => z.object({ name: name(), email: address(), role: role() }))
export const operatorUpdate = lazily(() => z.object({ name: name(), email: address(), role: role() }).partial())

export const operatorKeyCreate = lazily(() =>
  z.object({
    name: text(KEY_NAME_LENGTH_MAX).nullish(),
    expires_at: optionalTime().optional(),
  }),
)
