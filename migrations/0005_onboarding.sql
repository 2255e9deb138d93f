-- Settings of a tenant, and the onboarding of new customers that one of them configures.
CREATE TABLE settings (
  tenant_id text NOT NULL,
  mode text NOT NULL,
  name text NOT NULL,
  value text NOT NULL,
  secrets text NOT NULL,
  sealed_by text NOT NULL,
  version integer NOT NULL,
  updated_at integer NOT NULL,
  updated_by text NOT NULL,
  PRIMARY KEY (tenant_id, mode, name)
) WITHOUT ROWID;
--> statement-breakpoint
-- Finds the settings whose secrets are sealed by an older key.
CREATE INDEX settings_sealed ON settings (sealed_by);
--> statement-breakpoint
CREATE TABLE onboarding_runs (
  tenant_id text NOT NULL,
  mode text NOT NULL,
  customer_id text NOT NULL,
  workflow text NOT NULL,
  steps text NOT NULL,
  progress text NOT NULL,
  status text NOT NULL,
  due_at integer NOT NULL,
  created_at integer NOT NULL,
  finished_at integer,
  PRIMARY KEY (tenant_id, mode, customer_id),
  CONSTRAINT onboarding_runs_status CHECK (status IN ('pending', 'running', 'completed', 'failed'))
) WITHOUT ROWID;
--> statement-breakpoint
-- The sweep finds the runs to start, to check and to delete.
CREATE INDEX onboarding_runs_due ON onboarding_runs (status, due_at);
--> statement-breakpoint
-- The run is written with the customer, so none is lost. A workflow that is named must exist. Without a name (null) the default
-- workflow is used if there is one. An empty name means no onboarding.
CREATE TRIGGER customers_onboarding AFTER INSERT ON customers
WHEN NOT EXISTS (SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)
  AND NEW.change_onboarding IS NOT ''
BEGIN
  SELECT RAISE(ABORT, 'unknown_workflow') WHERE NEW.change_onboarding IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM settings s CROSS JOIN json_each(s.value, '$.workflows') w
    WHERE s.tenant_id = NEW.tenant_id AND s.mode = NEW.mode AND s.name = 'customer_onboarding'
      AND w.key = NEW.change_onboarding
  );
  INSERT INTO onboarding_runs (tenant_id, mode, customer_id, workflow, steps, progress, status, due_at, created_at)
  SELECT NEW.tenant_id, NEW.mode, NEW.id, w.key, w.value -> '$.steps', '[]', 'pending', now.ms, now.ms
  FROM settings s CROSS JOIN json_each(s.value, '$.workflows') w
    CROSS JOIN (SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS ms) now
  WHERE s.tenant_id = NEW.tenant_id AND s.mode = NEW.mode AND s.name = 'customer_onboarding'
    AND w.key = coalesce(NEW.change_onboarding, 'default');
END;
