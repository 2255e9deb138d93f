/** Tells whether a build is still the one that its sources would give, so that it is made again only when they have changed. */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import path from 'node:path'

/** Returns a hash of the names and contents of all files in these files and folders. `isSource` leaves out what a build writes. */
export function fingerprintOf(places, isSource = () => true) {
  const hash = createHash('sha256')
  for (const file of places.flatMap(filesIn).filter(isSource).sort()) {
    hash.update(`${file}\0`).update(readFileSync(file)).update('\0')
  }
  return hash.digest('hex').slice(0, 16)
}

/** Returns the files in a folder and below it, or the file that the path names. */
function filesIn(place) {
  if (statSync(place).isFile()) return [place]
  return readdirSync(place, { recursive: true, encoding: 'utf8' })
    .map((name) => path.join(place, name))
    .filter((file) => statSync(file).isFile())
}
