/** The JSON of a customer in the triggers is what the table of fields generates. */
import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  customerDocument,
  customerTriggers,
  documentsIn,
  sameSql,
  withDocuments,
} from '../../../scripts/customer-documents.ts'

const migrations = readdirSync('migrations')
  .filter((name) => name.endsWith('.sql'))
  .sort()
  .map((name) => readFileSync(`migrations/${name}`, 'utf8'))
const triggers = customerTriggers(migrations)

describe('the triggers that the migrations leave behind', () => {
  it('have one document for each event they write, and one for those that an erasure clears', () => {
    const found = triggers.map(({ name, text }) => [name, documentsIn(text).map(({ of }) => of)] as const)
    expect(Object.fromEntries(found.filter(([, documents]) => documents.length > 0))).toEqual({
      customers_created: ['NEW'],
      customers_changed: ['OLD', 'NEW'],
      customers_erased: ['NEW', 'erased'],
    })
  })

  it('spell each document as the generator does', () => {
    for (const { name, text } of triggers) {
      for (const { from, to, of } of documentsIn(text)) {
        expect(sameSql(text.slice(from, to), customerDocument(of)), `${name}, ${of}`).toBe(true)
      }
      expect(withDocuments(text), name).toBe(text)
    }
  })

  it('spell no other document of a customer', () => {
    const texts = triggers.map(({ text }) => text).join('\n')
    expect(texts.match(/'external_id'/g)).toHaveLength(triggers.flatMap(({ text }) => documentsIn(text)).length)
  })
})

it('writes a document anew that lacks a field, and leaves the rest of the trigger', () => {
  const erased = triggers.find(({ name }) => name === 'customers_erased')?.text ?? ''
  const stale = erased.replaceAll(
    /'contact', NEW\.contact, ?|iif\(NEW\.contact IS NULL, '\$\.contact', '\$\.x'\), ?/g,
    '',
  )
  expect(stale).not.toBe(erased)
  expect(sameSql(withDocuments(stale), erased)).toBe(true)
})

it('follows triggers that are dropped and made anew', () => {
  const created = (name: string, body: string) =>
    `CREATE TRIGGER ${name} AFTER UPDATE ON customers\nBEGIN\n${body};\nEND;`
  const sql = [created('a', 'SELECT 1'), created('b', 'SELECT 2'), `DROP TRIGGER a;\n${created('a', 'SELECT 3')}`]
  expect(customerTriggers(sql)).toEqual([
    { name: 'b', text: created('b', 'SELECT 2') },
    { name: 'a', text: created('a', 'SELECT 3') },
  ])
})
