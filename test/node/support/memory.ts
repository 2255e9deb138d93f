/** Where tests and benches keep what they store: in memory, if the machine has a file system there. */
import { existsSync, statfsSync } from 'node:fs'

/** The file system, and the room it must have: in some containers it is tiny. */
const [MEMORY, ROOM_BYTES] = ['/dev/shm', 4 * 1024 ** 3]

/** Lets temporary files be in memory. Nothing in them outlives the run, and each commit of D1, KV or a gate would wait for the disk. */
export function keepInMemory(): void {
  if (!existsSync(MEMORY)) return
  const { bavail, bsize } = statfsSync(MEMORY)
  if (bavail * bsize >= ROOM_BYTES) process.env.TMPDIR ??= MEMORY
}
