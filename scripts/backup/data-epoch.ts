/** The statements after a D1 was set back or restored: one makes Roster follow it, one shows whether it has. */

/**
 * Raises the data epoch. The trigger `deployment_data_epoch` raises the policy version of every tenant with it, so
 * every gate follows. Running it again does no harm.
 */
export const RAISE_DATA_EPOCH =
  "UPDATE deployment SET data_epoch = max(data_epoch + 1, CAST(unixepoch('subsec') * 1000 AS integer))"

/** Selects `behind`, the number of tenants whose gate may still follow the history that is gone. */
export const COUNT_BEHIND = 'SELECT count(*) AS behind FROM tenants WHERE policy_applied_version < policy_version'
