/** Tests which responses to a webhook are the receiver's own, and which Cloudflare made in its place. */
import { describe, expect, it } from 'vitest'
import { cloudflareErrorOf } from '../../../src/events/cloudflare-answers.ts'

const THROUGH = { server: 'cloudflare', 'cf-ray': '8f1c2d3e4f5a6b7c-FRA' }
const BLOCK_PAGE = '<!DOCTYPE html>\n<html lang="en-US">\n<head>\n<title>Attention Required! | Cloudflare</title>'
const BANNED_PAGE = '<html><head><title>Access denied | a.example used Cloudflare to restrict access</title>'

type Row = [status: number, headers: Record<string, string>, answer: string]

describe('Cloudflare could not reach the receiver', () => {
  it.each<Row>([
    [530, THROUGH, 'error code: 1016'],
    [530, {}, 'error code: 1016'],
    [530, { server: 'cloudflare' }, '<html><title>Origin DNS error | a.example | Cloudflare</title>'],
    ...[520, 521, 522, 523, 524, 525, 526, 527].map((status): Row => [status, THROUGH, `error code: ${status}`]),
    [522, { 'cf-ray': '8f1c2d3e4f5a6b7c-FRA' }, ''],
  ])('recognises %i with %j and %j', (status, headers, answer) => {
    expect(cloudflareErrorOf(status, new Headers(headers), answer)).toBe('connection_failed')
  })
})

describe('Cloudflare refused the request in front of the receiver', () => {
  it.each<Row>([
    [403, THROUGH, BLOCK_PAGE],
    [403, THROUGH, BANNED_PAGE],
    [403, THROUGH, 'error code: 1020'],
    [403, { ...THROUGH, 'cf-mitigated': 'challenge' }, '<html><title>Just a moment...</title>'],
    [202, { ...THROUGH, 'cf-mitigated': 'challenge' }, ''],
    [409, THROUGH, 'error code: 1001'],
    [429, THROUGH, 'error code: 1015\n'],
    [429, { ...THROUGH, 'cf-mitigated': 'challenge' }, ''],
  ])('recognises %i with %j and %j', (status, headers, answer) => {
    expect(cloudflareErrorOf(status, new Headers(headers), answer)).toBe('refused_by_cloudflare')
  })
})

describe('the receiver itself has answered', () => {
  it.each<Row>([
    [200, THROUGH, 'ok'],
    [200, THROUGH, '{"text": "error code: 1016"}'],
    // A success stays one, whatever the receiver writes.
    [200, THROUGH, BLOCK_PAGE],
    [202, THROUGH, 'error code: 1016'],
    [403, THROUGH, '{"error": "forbidden"}'],
    [403, {}, BLOCK_PAGE],
    [409, THROUGH, '{"error": "taken"}'],
    [410, THROUGH, ''],
    [429, THROUGH, ''],
    [404, { server: 'nginx' }, '<title>404 Not Found</title>'],
    [500, THROUGH, 'error code: 1101'],
    [503, THROUGH, 'Service Unavailable'],
    // A receiver that uses such a status itself.
    [522, { server: 'nginx' }, 'busy'],
    [530, {}, ''],
    [529, THROUGH, 'overloaded'],
  ])('recognises %i with %j and %j', (status, headers, answer) => {
    expect(cloudflareErrorOf(status, new Headers(headers), answer)).toBeNull()
  })
})
