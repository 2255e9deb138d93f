/**
 * Runs before each test file. Creates the schema of each database where it is not there yet: storage begins empty in every runtime, which is
 * one file's own or shared by many (vitest.config.ts). Fails a file whose statements D1 would refuse.
 */
import { applyD1Migrations } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterAll, expect } from 'vitest'
import { readEnv } from '../../../src/env.ts'
import { takeRefused } from './checked-d1.ts'

afterAll(() => expect(takeRefused()).toEqual([]))

for (const database of readEnv(env).databases) await applyD1Migrations(database, env.TEST_MIGRATIONS)
