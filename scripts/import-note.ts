/**
 * The note of an import that did not end: how far it came, and what it was the import of. It is a file beside the imported
 * one. Only the same import goes on from it: another target, tenant, mode, file or reading of the file is refused.
 */
import { createHash } from 'node:crypto'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { namedInKey } from '../src/tenants/key-text.ts'

/** Two runs with the same values are the same import. A property that differs is shown under its name here. */
export interface Identity {
  target: string
  tenant: string
  mode: string
  'content of the file': string
  format: string
  encoding: string
  delimiter: string
  mapping: string
}

export interface Progress {
  /** Lines with a result, in the order in which they are sent. */
  answered: number
  counts: Record<'created' | 'updated' | 'unchanged' | 'error', number>
  /** The id of all its requests, by which it is undone, and a time before the first of them. A note of an older command has none. */
  undo?: { importId: string; since: string }
}

/** Returns the tenant and the mode that a key is for. A key of another form stands for itself, as a hash. */
export function ownerOf(key: string): Pick<Identity, 'tenant' | 'mode'> {
  const named = namedInKey(key)
  if (named) return { tenant: named.tenantId, mode: named.mode }
  return { tenant: `of the key ${createHash('sha256').update(key).digest('hex').slice(0, 16)}`, mode: 'unknown' }
}

export class Note {
  readonly path: string
  readonly #identity: Identity

  constructor(path: string, identity: Identity) {
    this.path = path
    this.#identity = identity
  }

  /** Returns the progress. Throws an error that says what to do if there is none of this import. */
  read(): Progress {
    let known: Partial<Progress> & { identity?: Partial<Identity> }
    try {
      known = JSON.parse(readFileSync(this.path, 'utf8'))
    } catch {
      throw new Error(`There is nothing to resume: ${this.path} is not there. Leave --resume out`)
    }
    const { identity = {}, answered = 0, counts, undo } = known
    const names = Object.keys(this.#identity) as (keyof Identity)[]
    const differences = names
      .filter((name) => identity[name] !== this.#identity[name])
      .map((name) => `the ${name} was ${identity[name]} and is ${this.#identity[name]}`)
    if (differences.length > 0 || !counts) {
      const advice = 'Leave --resume out to import the whole file: sending lines again does no harm'
      throw new Error(`The import that stopped was another one: ${differences.join('; ')}. ${advice}`)
    }
    return { answered, counts, ...(undo && { undo }) }
  }

  write(progress: Progress): void {
    writeFileSync(this.path, JSON.stringify({ identity: this.#identity, ...progress }))
  }

  remove(): void {
    rmSync(this.path, { force: true })
  }
}
