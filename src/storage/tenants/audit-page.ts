/** The parts that a page of the audit is made of, and the page. */
import type { AuditEntry, AuditQuery } from '../../tenants/ports.ts'
import type { MergedPlace } from '../archive/merged-reads.ts'
import type { Shown } from './audit-shown.ts'
import type { Stream } from './audit-sources.ts'
import type { Place, StreamedPage } from './audit-streams.ts'

export interface Wanted {
  query: AuditQuery
  streams: readonly Stream[]
  /** The places behind which the page begins. */
  places: readonly Place[]
  page: { limit: number; bytesMax: number }
}

/** The place of a page in the archives of all tenants. */
export interface AuditedPlace extends MergedPlace {
  /** Whether objects were read: before that, a page ends where the archive begins. */
  hasBegun: boolean
  shown: readonly Shown[]
}

/** A page of D1's streams and the archive. */
export interface PageWithOld extends Pick<StreamedPage, 'chosen' | 'places'> {
  /** The place of the next page; null if the streams have all of the archive. */
  archive: AuditedPlace | null
  /** Whether the archive has more than is in the places of the streams. */
  hasOld: boolean
  /** Returns the entries of those that came from the archive. */
  oldEntries(): Promise<AuditEntry[]>
}
