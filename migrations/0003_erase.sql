-- Erasing a customer: what is personal goes from its row, its events, its aliases, its mappings and the idempotency records
-- about it, in the transaction of the change and whoever makes it; its id stays, archived, so that nothing is ever given it
-- again. The event that tells of it has no personal data but the receipt: how many rows something was taken from.

-- All events of one customer: to erase them, and to show them.
CREATE INDEX `events_customer` ON `events` (`tenant_id`,`mode`,`customer_id`);
--> statement-breakpoint
-- What is still to be deleted from KV, where an old value may have been put by a reader that was under way. Written by the
-- trigger below, completed by the gate with the keys of the external ids (hashed), done and deleted by the sweep.
CREATE TABLE `erasures` (
  `tenant_id` text NOT NULL,
  `mode` text NOT NULL,
  `customer_id` text NOT NULL,
  `kv_keys` text,
  `due_at` integer NOT NULL,
  PRIMARY KEY(`tenant_id`, `mode`, `customer_id`)
) WITHOUT ROWID;
--> statement-breakpoint
ALTER TABLE `customers` ADD `erased_at` integer;
--> statement-breakpoint
-- As in 0001, but not for the erasure, which leaves no alias, no count and no copy of the row behind.
DROP TRIGGER customers_changed;
--> statement-breakpoint
CREATE TRIGGER customers_changed AFTER UPDATE ON customers
WHEN NEW.erased_at IS NULL
BEGIN
  DELETE FROM customer_aliases
  WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND external_id = NEW.external_id
    AND (NEW.external_id <> OLD.external_id OR (NEW.archived_at IS NULL AND OLD.archived_at IS NOT NULL));
  INSERT INTO customer_aliases (tenant_id, mode, external_id, customer_id)
  SELECT NEW.tenant_id, NEW.mode, OLD.external_id, NEW.id WHERE NEW.external_id <> OLD.external_id
  ON CONFLICT (tenant_id, mode, external_id) DO UPDATE SET customer_id = excluded.customer_id;
  DELETE FROM customer_aliases
  WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id
    AND NEW.archived_at IS NOT NULL AND OLD.archived_at IS NULL;

  DELETE FROM integration_mappings
  WHERE OLD.archived_at IS NULL AND (NEW.integrations <> OLD.integrations OR NEW.archived_at IS NOT NULL)
    AND tenant_id = NEW.tenant_id AND mode = NEW.mode
    AND (provider, entity_id) IN (SELECT value ->> '$.provider', value ->> '$.id' FROM json_each(OLD.integrations));
  INSERT INTO integration_mappings (tenant_id, mode, provider, entity_id, customer_id)
  SELECT NEW.tenant_id, NEW.mode, value ->> '$.provider', value ->> '$.id', NEW.id FROM json_each(NEW.integrations)
  WHERE NEW.archived_at IS NULL AND (NEW.integrations <> OLD.integrations OR OLD.archived_at IS NOT NULL);

  UPDATE customer_counts SET count = count - 1
  WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND status = CASE WHEN OLD.archived_at IS NOT NULL THEN 'archived' ELSE OLD.status END
    AND CASE WHEN OLD.archived_at IS NOT NULL THEN 'archived' ELSE OLD.status END <> CASE WHEN NEW.archived_at IS NOT NULL THEN 'archived' ELSE NEW.status END;
  INSERT INTO customer_counts (tenant_id, mode, status, count)
  SELECT NEW.tenant_id, NEW.mode, CASE WHEN NEW.archived_at IS NOT NULL THEN 'archived' ELSE NEW.status END, 1
  WHERE CASE WHEN OLD.archived_at IS NOT NULL THEN 'archived' ELSE OLD.status END <> CASE WHEN NEW.archived_at IS NOT NULL THEN 'archived' ELSE NEW.status END
  ON CONFLICT (tenant_id, mode, status) DO UPDATE SET count = count + 1;

  INSERT INTO events (tenant_id, mode, id, type, customer_id, version, actor, request_id, reason, before, after, created_at)
  VALUES (
    NEW.tenant_id, NEW.mode, NEW.change_id,
    CASE
      WHEN NEW.archived_at IS NOT NULL AND OLD.archived_at IS NULL THEN 'customer.archived'
      WHEN NEW.archived_at IS NULL AND OLD.archived_at IS NOT NULL THEN 'customer.restored'
      ELSE 'customer.updated'
    END,
    NEW.id, NEW.version, NEW.updated_by, NEW.change_request_id, NEW.change_reason,
    json_object(
      'id', OLD.id, 'external_id', OLD.external_id, 'name', OLD.name, 'email', OLD.email, 'contact', OLD.contact, 'timezone', OLD.timezone,
      'address', json_object(
        'line1', OLD.address_line1, 'line2', OLD.address_line2, 'city', OLD.address_city,
        'state', OLD.address_state, 'postal_code', OLD.address_postal_code, 'country', OLD.address_country
      ),
      'parent_id', OLD.parent_id, 'metadata', json(OLD.metadata), 'integrations', json(OLD.integrations),
      'profile', json(OLD.profile), 'status', OLD.status, 'archived_at', OLD.archived_at, 'version', OLD.version,
      'stamps', json_object(
        'created_at', OLD.created_at, 'updated_at', OLD.updated_at,
        'created_by', OLD.created_by, 'updated_by', OLD.updated_by
      )
    ),
    json_object(
      'id', NEW.id, 'external_id', NEW.external_id, 'name', NEW.name, 'email', NEW.email, 'contact', NEW.contact, 'timezone', NEW.timezone,
      'address', json_object(
        'line1', NEW.address_line1, 'line2', NEW.address_line2, 'city', NEW.address_city,
        'state', NEW.address_state, 'postal_code', NEW.address_postal_code, 'country', NEW.address_country
      ),
      'parent_id', NEW.parent_id, 'metadata', json(NEW.metadata), 'integrations', json(NEW.integrations),
      'profile', json(NEW.profile), 'status', NEW.status, 'archived_at', NEW.archived_at, 'version', NEW.version,
      'stamps', json_object(
        'created_at', NEW.created_at, 'updated_at', NEW.updated_at,
        'created_by', NEW.created_by, 'updated_by', NEW.updated_by
      )
    ),
    NEW.updated_at
  );
END;
--> statement-breakpoint
CREATE TRIGGER customers_erased AFTER UPDATE OF erased_at ON customers
WHEN NEW.erased_at IS NOT NULL AND OLD.erased_at IS NULL
BEGIN
  INSERT INTO events (tenant_id, mode, id, type, customer_id, version, actor, request_id, reason, before, after, created_at)
  VALUES (
    NEW.tenant_id, NEW.mode, NEW.change_id, 'customer.erased', NEW.id, NEW.version,
    NEW.updated_by, NEW.change_request_id, NEW.change_reason, NULL, json_object(
      'id', NEW.id, 'external_id', NEW.external_id, 'name', NEW.name, 'email', NEW.email, 'contact', NEW.contact, 'timezone', NEW.timezone,
      'address', json_object(
        'line1', NEW.address_line1, 'line2', NEW.address_line2, 'city', NEW.address_city,
        'state', NEW.address_state, 'postal_code', NEW.address_postal_code, 'country', NEW.address_country
      ),
      'parent_id', NEW.parent_id, 'metadata', json(NEW.metadata), 'integrations', json(NEW.integrations),
      'profile', json(NEW.profile), 'status', NEW.status, 'archived_at', NEW.archived_at, 'version', NEW.version,
      'stamps', json_object(
        'created_at', NEW.created_at, 'updated_at', NEW.updated_at,
        'created_by', NEW.created_by, 'updated_by', NEW.updated_by
      ),
      'erased_rows', json_object(
        'customers', 1,
        'events', (
          SELECT count(*) FROM events
          WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id
        ),
        'aliases', (
          SELECT count(*) FROM customer_aliases
          WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id
        ),
        'integrations', (
          SELECT count(*) FROM integration_mappings
          WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id
            AND (provider, entity_id) IN (SELECT value ->> '$.provider', value ->> '$.id' FROM json_each(OLD.integrations))
        ),
        'idempotency_records', (
          SELECT count(*) FROM idempotency_records
          WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id
        )
      )
    ), NEW.updated_at
  );
  -- The log still tells when something was done, and by whom; no longer what, nor why, in words that may name a person.
  UPDATE events SET before = NULL, reason = NULL, after = json_object(
    'id', customer_id, 'external_id', customer_id, 'name', NULL, 'email', NULL, 'contact', NULL, 'timezone', 'UTC',
    'address', json_object('line1', NULL, 'line2', NULL, 'city', NULL, 'state', NULL, 'postal_code', NULL, 'country', NULL),
    'parent_id', NULL, 'metadata', json('{}'), 'integrations', json('[]'), 'profile', json('{}'),
    'status', after ->> '$.status', 'archived_at', after ->> '$.archived_at', 'version', version,
    'stamps', json(after -> '$.stamps')
  )
  WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id AND id <> NEW.change_id;
  DELETE FROM customer_aliases
  WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id;
  DELETE FROM integration_mappings
  WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id
    AND (provider, entity_id) IN (SELECT value ->> '$.provider', value ->> '$.id' FROM json_each(OLD.integrations));
  -- The key stays used, by a request that is like no other: a late repeat of the one that made this customer must not make
  -- it again.
  UPDATE idempotency_records SET fingerprint = '', customer_id = NULL, change_id = NULL, effect = NULL, failure = NULL
  WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id;
  UPDATE customer_counts SET count = count - 1
  WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode
    AND status = CASE WHEN OLD.archived_at IS NOT NULL THEN 'archived' ELSE OLD.status END;
  -- A minute: KV tells the world of a change within it, and no read is under way for so long.
  INSERT INTO erasures (tenant_id, mode, customer_id, due_at)
  VALUES (NEW.tenant_id, NEW.mode, NEW.id, NEW.erased_at + 60000);
END;
