-- The archive: events that are too old for the database, as objects in R2. What finds them is here, and what opens those of a
-- customer is in its row, archive_key. How it works: design/archive.md.

-- An object: events of a tenant and mode that follow each other, all of one day. The column customers is a filter that says which
-- customers it has no event of. This table has a rowid, because the filter is long.
CREATE TABLE archive_objects (
  tenant_id text NOT NULL,
  mode text NOT NULL,
  last_id text NOT NULL,
  first_id text NOT NULL,
  name text NOT NULL,
  events integer NOT NULL,
  bytes integer NOT NULL,
  first_at integer NOT NULL,
  last_at integer NOT NULL,
  customers text NOT NULL,
  PRIMARY KEY (tenant_id, mode, last_id)
);
--> statement-breakpoint
-- Finds the objects of all tenants, newest first.
CREATE INDEX archive_objects_ends ON archive_objects (last_id, first_id);
--> statement-breakpoint
-- One row: how much is in the archive, so that nobody has to count objects.
CREATE TABLE archive_totals (
  id integer PRIMARY KEY NOT NULL,
  objects integer NOT NULL,
  events integer NOT NULL,
  bytes integer NOT NULL,
  CONSTRAINT archive_totals_one_row CHECK (id = 1)
);
--> statement-breakpoint
INSERT INTO archive_totals (id, objects, events, bytes) VALUES (1, 0, 0, 0);
--> statement-breakpoint
-- Who gave up an external id, of events that are in the archive: there nobody can search for it. Erasing the customer deletes it.
CREATE TABLE former_external_ids (
  tenant_id text NOT NULL,
  mode text NOT NULL,
  external_id text NOT NULL,
  left_at integer NOT NULL,
  customer_id text NOT NULL,
  PRIMARY KEY (tenant_id, mode, external_id, left_at, customer_id)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX former_external_ids_customer ON former_external_ids (tenant_id, mode, customer_id);
--> statement-breakpoint
-- How long a tenant keeps the changes of its customers.
ALTER TABLE tenants ADD event_retention_days integer DEFAULT 400 NOT NULL;
--> statement-breakpoint
CREATE TRIGGER archive_objects_counted AFTER INSERT ON archive_objects
BEGIN
  UPDATE archive_totals SET objects = objects + 1, events = events + NEW.events, bytes = bytes + NEW.bytes;
END;
--> statement-breakpoint
CREATE TRIGGER archive_objects_deleted AFTER DELETE ON archive_objects
BEGIN
  UPDATE archive_totals SET objects = objects - 1, events = events - OLD.events, bytes = bytes - OLD.bytes;
END;
