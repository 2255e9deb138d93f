-- Tenants, their API keys, the record of what operators did to both, and the data epoch.
-- Table definitions follow src/storage/schema/tenant-tables.ts. WITHOUT ROWID and triggers are added by hand, because Drizzle cannot express them.
-- A table whose key is text is WITHOUT ROWID: D1 then writes and bills one row for each insert, not a second one for the hidden
-- index, and the rows lie in the order of the key. Ids sort by the time they were made.
-- How to write a migration that D1 accepts: src/storage/README.md, Migrations. test/node/migrations checks it.
CREATE TABLE tenants (
  id text PRIMARY KEY NOT NULL,
  company_name text NOT NULL,
  contact_email text NOT NULL,
  tier text NOT NULL,
  status text NOT NULL,
  requests_per_second integer NOT NULL,
  burst integer NOT NULL,
  annual_commitment integer NOT NULL,
  annual_validation_limit integer NOT NULL,
  storage_bytes integer NOT NULL,
  contract_start integer,
  contract_end integer,
  metadata text NOT NULL,
  created_at integer NOT NULL,
  updated_at integer NOT NULL,
  version integer NOT NULL,
  policy_version integer NOT NULL,
  policy_applied_version integer DEFAULT 0 NOT NULL,
  folded text DEFAULT '{}' NOT NULL,
  deleted_at integer,
  database_number integer DEFAULT 0 NOT NULL,
  CONSTRAINT tenants_tier CHECK (tier IN ('starter', 'growth', 'scale', 'enterprise', 'custom')),
  CONSTRAINT tenants_status CHECK (status IN ('active', 'suspended')),
  CONSTRAINT tenants_limits CHECK (requests_per_second > 0 AND burst > 0),
  CONSTRAINT tenants_contract CHECK (contract_end IS NULL OR contract_start IS NULL OR contract_end >= contract_start)
) WITHOUT ROWID;
--> statement-breakpoint
-- The sweep looks for tenants whose change has not reached their gates. Almost always there are none, so the index is empty.
CREATE INDEX tenants_policy_unapplied ON tenants (id) WHERE policy_applied_version < policy_version;
--> statement-breakpoint
-- The sweep looks for deleted tenants, whose rows it deletes in pieces. Almost always there are none.
CREATE INDEX tenants_deleted ON tenants (id) WHERE deleted_at IS NOT NULL;
--> statement-breakpoint
-- Operators look for a tenant by its address.
CREATE INDEX tenants_contact_email ON tenants (contact_email COLLATE NOCASE);
--> statement-breakpoint
CREATE TABLE api_keys (
  tenant_id text NOT NULL,
  id text NOT NULL,
  mode text NOT NULL,
  name text NOT NULL,
  secret_hash text NOT NULL,
  scopes text NOT NULL,
  created_at integer NOT NULL,
  expires_at integer,
  revoked_at integer,
  rotated_from text,
  PRIMARY KEY (tenant_id, id),
  FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON UPDATE no action ON DELETE no action,
  CONSTRAINT api_keys_mode CHECK (mode IN ('live', 'test'))
) WITHOUT ROWID;
--> statement-breakpoint
-- Changes of tenants and keys. Changes of customers are in the table of events. GET /admin/audit reads both.
-- Ids sort by time.
CREATE TABLE admin_audit (
  id text PRIMARY KEY NOT NULL,
  type text NOT NULL,
  tenant_id text NOT NULL,
  key_id text,
  actor text NOT NULL,
  request_id text,
  reason text,
  before text,
  after text,
  created_at integer NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
-- Finds what operators did to one tenant.
CREATE INDEX admin_audit_tenant ON admin_audit (tenant_id, id);
--> statement-breakpoint
-- Where a sweep goes on that handles some tenants in each run.
CREATE TABLE sweeps (
  name text PRIMARY KEY NOT NULL,
  position text NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
-- A gate stores the keys of its tenant and mode in one row, which has an end. A key that replaces another has more room, so that
-- keys can be rotated when there is room for no further one.
CREATE TRIGGER api_keys_max BEFORE INSERT ON api_keys
WHEN (
  SELECT count(*) FROM api_keys
  WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND revoked_at IS NULL
    AND (expires_at IS NULL OR expires_at > NEW.created_at)
) >= iif(NEW.rotated_from IS NULL, 1000, 2000)
BEGIN
  SELECT RAISE(ABORT, 'too_many_keys');
END;
--> statement-breakpoint
-- One row. The data epoch says which history of the database this is: the time at which the database was made, or last set back
-- or restored. It is raised then and at no other time, by npm run restored, see docs/operations/restore.md.
CREATE TABLE deployment (
  id integer PRIMARY KEY NOT NULL,
  data_epoch integer NOT NULL,
  operators_version integer DEFAULT 0 NOT NULL,
  operators_copied_version integer DEFAULT 0 NOT NULL,
  CONSTRAINT deployment_one_row CHECK (id = 1)
);
--> statement-breakpoint
INSERT INTO deployment (id, data_epoch) VALUES (1, CAST(unixepoch('subsec') * 1000 AS integer));
--> statement-breakpoint
-- A gate takes a policy over when its version is above the one it has. An epoch is a time in milliseconds, so it is above every
-- version that was counted up from 1 or from an earlier epoch, also when the tenants were set back by weeks.
CREATE TRIGGER deployment_data_epoch AFTER UPDATE OF data_epoch ON deployment
BEGIN
  UPDATE tenants SET policy_version = NEW.data_epoch;
END;
--> statement-breakpoint
-- A tenant whose rows in this database are a copy that is being made, see 0012_moves.sql. The triggers that follow from a change make
-- nothing of such rows, because what follows is copied too. Almost always this table is empty, so to look into it reads no row.
CREATE TABLE arriving_tenants (
  tenant_id text PRIMARY KEY NOT NULL,
  move_id text NOT NULL,
  state text NOT NULL,
  position text NOT NULL
) WITHOUT ROWID;
