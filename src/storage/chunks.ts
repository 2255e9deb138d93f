/**
 * Deleting much, in small statements: a long one would keep the writers of the primary waiting. What one run leaves is there
 * for the next.
 */

/** Of one statement. */
export const CHUNK_ROWS_MAX = 500
/** Of one run of what is swept each minute. */
const CHUNKS_MAX = 20

/** Until a statement, which deletes at most `CHUNK_ROWS_MAX` rows, finds fewer. */
export async function inChunks(
  deleteSome: () => PromiseLike<{ meta: { changes: number } }>,
  chunksMax = CHUNKS_MAX,
): Promise<void> {
  for (let chunk = 0; chunk < chunksMax; chunk++) {
    const { meta } = await deleteSome()
    if (meta.changes < CHUNK_ROWS_MAX) return
  }
}
