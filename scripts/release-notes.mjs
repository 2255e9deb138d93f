/**
 * Prints the section of `CHANGELOG.md` about a release, for the release workflow: `node scripts/release-notes.mjs v0.1.0`. Fails if the tag
 * is not the version of package.json and of the API document, or if the version has no section.
 */
import { readFileSync } from 'node:fs'

const [tag = ''] = process.argv.slice(2)
const version = JSON.parse(readFileSync('package.json', 'utf8')).version
const documented = JSON.parse(readFileSync('public/openapi.json', 'utf8')).info.version

if (tag !== `v${version}`) stop(`The tag is ${tag || 'missing'}, and package.json has the version ${version}.`)
if (documented !== version) stop(`public/openapi.json has the version ${documented}: run \`npm run openapi\`.`)
const [, ...sections] = readFileSync('CHANGELOG.md', 'utf8').split(/^## /m)
const section = sections.find((text) => text.split('\n')[0].trim() === version)
if (!section?.includes('\n')) stop(`CHANGELOG.md has no section "## ${version}": run \`npm run release:version\`.`)
console.log(section.slice(section.indexOf('\n')).trim())

function stop(message) {
  console.error(message)
  process.exit(1)
}
