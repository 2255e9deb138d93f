/** The counts of the contract year and of each day by its date, and when each key was last used. */
export interface Usage {
  yearStart: string
  count: number
  /** Granted to isolates and not yet accounted for. */
  outstanding: number
  /** `errors` is absent where there were none. */
  days: Record<string, { admitted: number; limited: number; errors?: number }>
  /**
   * The minute in which each key was last used, by its id, as the milliseconds of its beginning. Absent from a gate that
   * runs older code.
   */
  keyUses?: Record<string, number>
}
