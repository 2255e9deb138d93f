-- Moves of tenants from one database to another. The database itself decides what may be written: a tenant that is frozen here cannot be
-- changed here, also by a writer that knows of no move, and every change of a tenant that is being copied is noted.
-- The rows of a tenant that arrives are the subject of arriving_tenants, in 0000_tenants.sql.

-- In the directory only.
CREATE TABLE moves (
  tenant_id text PRIMARY KEY NOT NULL,
  id text NOT NULL,
  from_database integer NOT NULL,
  to_database integer NOT NULL,
  state text NOT NULL,
  copied integer DEFAULT 0 NOT NULL,
  copied_again integer DEFAULT 0 NOT NULL,
  problem text,
  actor text NOT NULL,
  created_at integer NOT NULL,
  updated_at integer NOT NULL,
  frozen_at integer,
  flipped_at integer,
  ended_at integer,
  claimed_until integer DEFAULT 0 NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
-- The sweep looks for moves to go on with. Almost always there are none.
CREATE INDEX moves_under_way ON moves (tenant_id) WHERE ended_at IS NULL;
--> statement-breakpoint
-- A tenant that is moved from this database. While it is copied, what changes is noted. When it is frozen nothing of it can change.
-- When it is removed, its rows may be deleted.
CREATE TABLE leaving_tenants (
  tenant_id text PRIMARY KEY NOT NULL,
  move_id text NOT NULL,
  state text NOT NULL,
  changes integer DEFAULT 0 NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
-- The keys of rows that changed while their tenant was copied, in the order of the changes.
CREATE TABLE moving_changes (
  tenant_id text NOT NULL,
  number integer NOT NULL,
  of_table text NOT NULL,
  row_key text NOT NULL,
  PRIMARY KEY (tenant_id, number)
) WITHOUT ROWID;
--> statement-breakpoint
-- Who notes changes without a trigger is refused here.
CREATE TRIGGER leaving_tenants_frozen BEFORE UPDATE OF changes ON leaving_tenants
WHEN OLD.state <> 'copied'
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving');
END;
--> statement-breakpoint
-- Triggers for the tables of tenants. Almost always leaving_tenants is empty, so they read no row.
-- Some tables have none. Those that are small, or written by triggers only, are copied whole while the tenant is frozen. Aliases and
-- mappings change with their customer, and are copied with it: a trigger for their insertion would cost each change of a customer a
-- row, because SQLite then keeps what a statement inserts aside first. An onboarding is inserted with its customer, too.
CREATE TRIGGER leaving_customers_insert AFTER INSERT ON customers
WHEN EXISTS (SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
  UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
  INSERT INTO moving_changes (tenant_id, number, of_table, row_key)
  SELECT l.tenant_id, l.changes, 'customers', json_array(NEW.mode, NEW.id) FROM leaving_tenants l
  WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
  UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
  INSERT INTO moving_changes (tenant_id, number, of_table, row_key)
  SELECT l.tenant_id, l.changes, 'onboarding_runs', json_array(NEW.mode, NEW.id) FROM leaving_tenants l
  WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
END;
--> statement-breakpoint
CREATE TRIGGER leaving_customers_update AFTER UPDATE ON customers
WHEN EXISTS (SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
  UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
  INSERT INTO moving_changes (tenant_id, number, of_table, row_key)
  SELECT l.tenant_id, l.changes, 'customers', json_array(NEW.mode, NEW.id) FROM leaving_tenants l
  WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
END;
--> statement-breakpoint
CREATE TRIGGER leaving_customers_delete AFTER DELETE ON customers
WHEN EXISTS (SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id)
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id AND l.state = 'frozen';
  UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = OLD.tenant_id AND state = 'copied';
  INSERT INTO moving_changes (tenant_id, number, of_table, row_key)
  SELECT l.tenant_id, l.changes, 'customers', json_array(OLD.mode, OLD.id) FROM leaving_tenants l
  WHERE l.tenant_id = OLD.tenant_id AND l.state = 'copied';
END;
--> statement-breakpoint
CREATE TRIGGER leaving_customer_merges_insert AFTER INSERT ON customer_merges
WHEN EXISTS (SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
  UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
  INSERT INTO moving_changes (tenant_id, number, of_table, row_key)
  SELECT l.tenant_id, l.changes, 'customer_merges', json_array(NEW.mode, NEW.source_id) FROM leaving_tenants l
  WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
END;
--> statement-breakpoint
CREATE TRIGGER leaving_customer_merges_update AFTER UPDATE ON customer_merges
WHEN EXISTS (SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
  UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
  INSERT INTO moving_changes (tenant_id, number, of_table, row_key)
  SELECT l.tenant_id, l.changes, 'customer_merges', json_array(NEW.mode, NEW.source_id) FROM leaving_tenants l
  WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
END;
--> statement-breakpoint
CREATE TRIGGER leaving_customer_merges_delete AFTER DELETE ON customer_merges
WHEN EXISTS (SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id)
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id AND l.state = 'frozen';
  UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = OLD.tenant_id AND state = 'copied';
  INSERT INTO moving_changes (tenant_id, number, of_table, row_key)
  SELECT l.tenant_id, l.changes, 'customer_merges', json_array(OLD.mode, OLD.source_id) FROM leaving_tenants l
  WHERE l.tenant_id = OLD.tenant_id AND l.state = 'copied';
END;
--> statement-breakpoint
CREATE TRIGGER leaving_events_insert AFTER INSERT ON events
WHEN EXISTS (SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
  UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
  INSERT INTO moving_changes (tenant_id, number, of_table, row_key)
  SELECT l.tenant_id, l.changes, 'events', json_array(NEW.mode, NEW.id) FROM leaving_tenants l
  WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
END;
--> statement-breakpoint
CREATE TRIGGER leaving_events_update AFTER UPDATE ON events
WHEN EXISTS (SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
  UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
  INSERT INTO moving_changes (tenant_id, number, of_table, row_key)
  SELECT l.tenant_id, l.changes, 'events', json_array(NEW.mode, NEW.id) FROM leaving_tenants l
  WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
END;
--> statement-breakpoint
CREATE TRIGGER leaving_events_delete AFTER DELETE ON events
WHEN EXISTS (SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id)
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id AND l.state = 'frozen';
  UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = OLD.tenant_id AND state = 'copied';
  INSERT INTO moving_changes (tenant_id, number, of_table, row_key)
  SELECT l.tenant_id, l.changes, 'events', json_array(OLD.mode, OLD.id) FROM leaving_tenants l
  WHERE l.tenant_id = OLD.tenant_id AND l.state = 'copied';
END;
--> statement-breakpoint
CREATE TRIGGER leaving_idempotency_records_insert AFTER INSERT ON idempotency_records
WHEN EXISTS (SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
  UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
  INSERT INTO moving_changes (tenant_id, number, of_table, row_key)
  SELECT l.tenant_id, l.changes, 'idempotency_records', json_array(NEW.mode, NEW.key) FROM leaving_tenants l
  WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
END;
--> statement-breakpoint
CREATE TRIGGER leaving_idempotency_records_update AFTER UPDATE ON idempotency_records
WHEN EXISTS (SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
  UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
  INSERT INTO moving_changes (tenant_id, number, of_table, row_key)
  SELECT l.tenant_id, l.changes, 'idempotency_records', json_array(NEW.mode, NEW.key) FROM leaving_tenants l
  WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
END;
--> statement-breakpoint
CREATE TRIGGER leaving_idempotency_records_delete AFTER DELETE ON idempotency_records
WHEN EXISTS (SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id)
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id AND l.state = 'frozen';
  UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = OLD.tenant_id AND state = 'copied';
  INSERT INTO moving_changes (tenant_id, number, of_table, row_key)
  SELECT l.tenant_id, l.changes, 'idempotency_records', json_array(OLD.mode, OLD.key) FROM leaving_tenants l
  WHERE l.tenant_id = OLD.tenant_id AND l.state = 'copied';
END;
--> statement-breakpoint
CREATE TRIGGER leaving_webhook_deliveries_insert AFTER INSERT ON webhook_deliveries
WHEN EXISTS (SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
  UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
  INSERT INTO moving_changes (tenant_id, number, of_table, row_key)
  SELECT l.tenant_id, l.changes, 'webhook_deliveries', json_array(NEW.id) FROM leaving_tenants l
  WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
END;
--> statement-breakpoint
CREATE TRIGGER leaving_webhook_deliveries_update AFTER UPDATE ON webhook_deliveries
WHEN EXISTS (SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
  UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
  INSERT INTO moving_changes (tenant_id, number, of_table, row_key)
  SELECT l.tenant_id, l.changes, 'webhook_deliveries', json_array(NEW.id) FROM leaving_tenants l
  WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
END;
--> statement-breakpoint
CREATE TRIGGER leaving_webhook_deliveries_delete AFTER DELETE ON webhook_deliveries
WHEN EXISTS (SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id)
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id AND l.state = 'frozen';
  UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = OLD.tenant_id AND state = 'copied';
  INSERT INTO moving_changes (tenant_id, number, of_table, row_key)
  SELECT l.tenant_id, l.changes, 'webhook_deliveries', json_array(OLD.id) FROM leaving_tenants l
  WHERE l.tenant_id = OLD.tenant_id AND l.state = 'copied';
END;
--> statement-breakpoint
CREATE TRIGGER leaving_onboarding_runs_update AFTER UPDATE ON onboarding_runs
WHEN EXISTS (SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
  UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
  INSERT INTO moving_changes (tenant_id, number, of_table, row_key)
  SELECT l.tenant_id, l.changes, 'onboarding_runs', json_array(NEW.mode, NEW.customer_id) FROM leaving_tenants l
  WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
END;
--> statement-breakpoint
CREATE TRIGGER leaving_onboarding_runs_delete AFTER DELETE ON onboarding_runs
WHEN EXISTS (SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id)
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id AND l.state = 'frozen';
  UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = OLD.tenant_id AND state = 'copied';
  INSERT INTO moving_changes (tenant_id, number, of_table, row_key)
  SELECT l.tenant_id, l.changes, 'onboarding_runs', json_array(OLD.mode, OLD.customer_id) FROM leaving_tenants l
  WHERE l.tenant_id = OLD.tenant_id AND l.state = 'copied';
END;
--> statement-breakpoint
CREATE TRIGGER leaving_erasures_update AFTER UPDATE ON erasures
WHEN EXISTS (SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
END;
--> statement-breakpoint
CREATE TRIGGER leaving_erasures_delete AFTER DELETE ON erasures
WHEN EXISTS (SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id)
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id AND l.state = 'frozen';
END;
--> statement-breakpoint
-- Entries of endpoints and settings stand in the database of the tenant, the others in the directory.
CREATE TRIGGER leaving_admin_audit_insert AFTER INSERT ON admin_audit
WHEN EXISTS (SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id) AND (NEW.type GLOB 'webhook.*' OR NEW.type GLOB 'onboarding.*')
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
  UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
  INSERT INTO moving_changes (tenant_id, number, of_table, row_key)
  SELECT l.tenant_id, l.changes, 'admin_audit', json_array(NEW.id) FROM leaving_tenants l
  WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
END;
--> statement-breakpoint
CREATE TRIGGER leaving_admin_audit_update AFTER UPDATE ON admin_audit
WHEN EXISTS (SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id) AND (NEW.type GLOB 'webhook.*' OR NEW.type GLOB 'onboarding.*')
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
  UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
  INSERT INTO moving_changes (tenant_id, number, of_table, row_key)
  SELECT l.tenant_id, l.changes, 'admin_audit', json_array(NEW.id) FROM leaving_tenants l
  WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
END;
--> statement-breakpoint
CREATE TRIGGER leaving_admin_audit_delete AFTER DELETE ON admin_audit
WHEN EXISTS (SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id) AND (OLD.type GLOB 'webhook.*' OR OLD.type GLOB 'onboarding.*')
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id AND l.state = 'frozen';
  UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = OLD.tenant_id AND state = 'copied';
  INSERT INTO moving_changes (tenant_id, number, of_table, row_key)
  SELECT l.tenant_id, l.changes, 'admin_audit', json_array(OLD.id) FROM leaving_tenants l
  WHERE l.tenant_id = OLD.tenant_id AND l.state = 'copied';
END;
--> statement-breakpoint
CREATE TRIGGER leaving_webhook_endpoints_insert AFTER INSERT ON webhook_endpoints
WHEN EXISTS (SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
END;
--> statement-breakpoint
CREATE TRIGGER leaving_webhook_endpoints_update AFTER UPDATE ON webhook_endpoints
WHEN EXISTS (SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
END;
--> statement-breakpoint
CREATE TRIGGER leaving_webhook_endpoints_delete AFTER DELETE ON webhook_endpoints
WHEN EXISTS (SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id)
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id AND l.state = 'frozen';
END;
--> statement-breakpoint
CREATE TRIGGER leaving_settings_insert AFTER INSERT ON settings
WHEN EXISTS (SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
END;
--> statement-breakpoint
CREATE TRIGGER leaving_settings_update AFTER UPDATE ON settings
WHEN EXISTS (SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
END;
--> statement-breakpoint
CREATE TRIGGER leaving_settings_delete AFTER DELETE ON settings
WHEN EXISTS (SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id)
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id AND l.state = 'frozen';
END;
--> statement-breakpoint
CREATE TRIGGER leaving_customer_stays_insert AFTER INSERT ON customer_stays
WHEN EXISTS (SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
  UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
  INSERT INTO moving_changes (tenant_id, number, of_table, row_key)
  SELECT l.tenant_id, l.changes, 'customer_stays', json_array(NEW.mode, NEW.host_id, NEW.customer_id, NEW.above_version) FROM leaving_tenants l
  WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
END;
--> statement-breakpoint
CREATE TRIGGER leaving_customer_stays_update AFTER UPDATE ON customer_stays
WHEN EXISTS (SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
  UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
  INSERT INTO moving_changes (tenant_id, number, of_table, row_key)
  SELECT l.tenant_id, l.changes, 'customer_stays', json_array(NEW.mode, NEW.host_id, NEW.customer_id, NEW.above_version) FROM leaving_tenants l
  WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
END;
--> statement-breakpoint
CREATE TRIGGER leaving_customer_stays_delete AFTER DELETE ON customer_stays
WHEN EXISTS (SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id)
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id AND l.state = 'frozen';
  UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = OLD.tenant_id AND state = 'copied';
  INSERT INTO moving_changes (tenant_id, number, of_table, row_key)
  SELECT l.tenant_id, l.changes, 'customer_stays', json_array(OLD.mode, OLD.host_id, OLD.customer_id, OLD.above_version) FROM leaving_tenants l
  WHERE l.tenant_id = OLD.tenant_id AND l.state = 'copied';
END;
--> statement-breakpoint
CREATE TRIGGER leaving_former_external_ids_insert AFTER INSERT ON former_external_ids
WHEN EXISTS (SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
  UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
  INSERT INTO moving_changes (tenant_id, number, of_table, row_key)
  SELECT l.tenant_id, l.changes, 'former_external_ids', json_array(NEW.mode, NEW.external_id, NEW.left_at, NEW.customer_id) FROM leaving_tenants l
  WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
END;
--> statement-breakpoint
CREATE TRIGGER leaving_former_external_ids_update AFTER UPDATE ON former_external_ids
WHEN EXISTS (SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
  UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
  INSERT INTO moving_changes (tenant_id, number, of_table, row_key)
  SELECT l.tenant_id, l.changes, 'former_external_ids', json_array(NEW.mode, NEW.external_id, NEW.left_at, NEW.customer_id) FROM leaving_tenants l
  WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
END;
--> statement-breakpoint
CREATE TRIGGER leaving_former_external_ids_delete AFTER DELETE ON former_external_ids
WHEN EXISTS (SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id)
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id AND l.state = 'frozen';
  UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = OLD.tenant_id AND state = 'copied';
  INSERT INTO moving_changes (tenant_id, number, of_table, row_key)
  SELECT l.tenant_id, l.changes, 'former_external_ids', json_array(OLD.mode, OLD.external_id, OLD.left_at, OLD.customer_id) FROM leaving_tenants l
  WHERE l.tenant_id = OLD.tenant_id AND l.state = 'copied';
END;
--> statement-breakpoint
CREATE TRIGGER leaving_archive_objects_insert AFTER INSERT ON archive_objects
WHEN EXISTS (SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
  UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
  INSERT INTO moving_changes (tenant_id, number, of_table, row_key)
  SELECT l.tenant_id, l.changes, 'archive_objects', json_array(NEW.mode, NEW.last_id) FROM leaving_tenants l
  WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
END;
--> statement-breakpoint
CREATE TRIGGER leaving_archive_objects_update AFTER UPDATE ON archive_objects
WHEN EXISTS (SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
  UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
  INSERT INTO moving_changes (tenant_id, number, of_table, row_key)
  SELECT l.tenant_id, l.changes, 'archive_objects', json_array(NEW.mode, NEW.last_id) FROM leaving_tenants l
  WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
END;
--> statement-breakpoint
CREATE TRIGGER leaving_archive_objects_delete AFTER DELETE ON archive_objects
WHEN EXISTS (SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id)
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id AND l.state = 'frozen';
  UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = OLD.tenant_id AND state = 'copied';
  INSERT INTO moving_changes (tenant_id, number, of_table, row_key)
  SELECT l.tenant_id, l.changes, 'archive_objects', json_array(OLD.mode, OLD.last_id) FROM leaving_tenants l
  WHERE l.tenant_id = OLD.tenant_id AND l.state = 'copied';
END;
--> statement-breakpoint
-- An attempt names its tenant by its delivery. It is deleted with it only.
CREATE TRIGGER leaving_webhook_attempts_insert AFTER INSERT ON webhook_attempts
WHEN EXISTS (SELECT 1 FROM leaving_tenants)
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM webhook_deliveries d CROSS JOIN leaving_tenants l ON l.tenant_id = d.tenant_id
  WHERE d.id = NEW.delivery_id AND l.state <> 'copied';
  UPDATE leaving_tenants SET changes = changes + 1
  WHERE tenant_id = (SELECT tenant_id FROM webhook_deliveries WHERE id = NEW.delivery_id) AND state = 'copied';
  INSERT INTO moving_changes (tenant_id, number, of_table, row_key)
  SELECT l.tenant_id, l.changes, 'webhook_deliveries', json_array(d.id)
  FROM webhook_deliveries d CROSS JOIN leaving_tenants l ON l.tenant_id = d.tenant_id
  WHERE d.id = NEW.delivery_id AND l.state = 'copied';
END;
--> statement-breakpoint
CREATE TRIGGER leaving_webhook_attempts_update AFTER UPDATE ON webhook_attempts
WHEN EXISTS (SELECT 1 FROM leaving_tenants)
BEGIN
  SELECT RAISE(ABORT, 'tenant_moving') FROM webhook_deliveries d CROSS JOIN leaving_tenants l ON l.tenant_id = d.tenant_id
  WHERE d.id = NEW.delivery_id AND l.state <> 'copied';
  UPDATE leaving_tenants SET changes = changes + 1
  WHERE tenant_id = (SELECT tenant_id FROM webhook_deliveries WHERE id = NEW.delivery_id) AND state = 'copied';
  INSERT INTO moving_changes (tenant_id, number, of_table, row_key)
  SELECT l.tenant_id, l.changes, 'webhook_deliveries', json_array(d.id)
  FROM webhook_deliveries d CROSS JOIN leaving_tenants l ON l.tenant_id = d.tenant_id
  WHERE d.id = NEW.delivery_id AND l.state = 'copied';
END;
