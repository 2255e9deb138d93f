/** The counts of the contract year, and of each day by its date. */
export interface Usage {
  yearStart: string
  count: number
  /** Granted to isolates and not yet accounted for. */
  outstanding: number
  days: Record<string, { admitted: number; limited: number }>
}
