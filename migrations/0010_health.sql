-- The state of the deployment for operators: GET /admin/health reads it.
-- Errors of a minute that Roster alone is to blame for. Isolates add theirs at most once in ten seconds, and only after an error.
CREATE TABLE error_counts (
  minute integer NOT NULL,
  api text NOT NULL,
  status integer NOT NULL,
  count integer NOT NULL,
  PRIMARY KEY (minute, api, status)
) WITHOUT ROWID;
--> statement-breakpoint
-- Lists the endpoints that fail, those first that have failed for longest. An endpoint is in it only while it fails.
CREATE INDEX webhook_endpoints_failing ON webhook_endpoints (failing_since) WHERE failing_since IS NOT NULL AND enabled = 1;
