/**
 * The kinds of change that the audit can be filtered by: those of the API.
 */
import { AUDIT_TYPES as ALL } from '../../../src/tenants/ports.ts'

export const AUDIT_TYPES: readonly string[] = ALL
