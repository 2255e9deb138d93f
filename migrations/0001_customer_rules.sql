-- The rules of a customer that must hold whoever writes and however writes race: they run inside the transaction of the
-- change itself. The first group refuses (the message is the name of the failure, see src/registry/failures.ts), the
-- second keeps what is derived from a customer: its aliases, its integration mappings, the counts, and the event.
-- They read by key only: CROSS JOIN keeps the order of the tables, the index to the children is named, and the way up does not
-- ask for parent_id IS NOT NULL. Left to itself SQLite would begin with every customer, or every child, of the tenant.
-- Drizzle can not express triggers, so this file is written by hand and test/storage/schema.test.ts pins it.

-- A parent exists, is not archived, is not below its own child, and no chain is longer than 10 customers.
CREATE TRIGGER customers_parent_insert BEFORE INSERT ON customers
WHEN NEW.parent_id IS NOT NULL
BEGIN
  SELECT RAISE(ABORT, 'parent_not_found') WHERE NOT EXISTS (
    SELECT 1 FROM customers p
    WHERE p.tenant_id = NEW.tenant_id AND p.mode = NEW.mode AND p.id = NEW.parent_id AND p.archived_at IS NULL
  );
  SELECT RAISE(ABORT, 'parent_too_deep') WHERE (
      WITH RECURSIVE up(id, level) AS (
        SELECT NEW.parent_id, 1
        UNION ALL
        SELECT c.parent_id, up.level + 1 FROM up CROSS JOIN customers c
          ON c.tenant_id = NEW.tenant_id AND c.mode = NEW.mode AND c.id = up.id
        WHERE up.level <= 10
      ) SELECT max(level) FROM up WHERE id IS NOT NULL
    ) + 1 > 10;
END;
--> statement-breakpoint
CREATE TRIGGER customers_parent_update BEFORE UPDATE OF parent_id, archived_at ON customers
WHEN NEW.parent_id IS NOT NULL AND NEW.archived_at IS NULL
  AND (NEW.parent_id IS NOT OLD.parent_id OR OLD.archived_at IS NOT NULL)
BEGIN
  SELECT RAISE(ABORT, 'parent_not_found') WHERE NOT EXISTS (
    SELECT 1 FROM customers p
    WHERE p.tenant_id = NEW.tenant_id AND p.mode = NEW.mode AND p.id = NEW.parent_id AND p.archived_at IS NULL
  );
  SELECT RAISE(ABORT, 'parent_cycle') WHERE NEW.id IN (
      WITH RECURSIVE up(id, level) AS (
        SELECT NEW.parent_id, 1
        UNION ALL
        SELECT c.parent_id, up.level + 1 FROM up CROSS JOIN customers c
          ON c.tenant_id = NEW.tenant_id AND c.mode = NEW.mode AND c.id = up.id
        WHERE up.level <= 10
      ) SELECT id FROM up WHERE id IS NOT NULL
    );
  SELECT RAISE(ABORT, 'parent_too_deep') WHERE (
      WITH RECURSIVE up(id, level) AS (
        SELECT NEW.parent_id, 1
        UNION ALL
        SELECT c.parent_id, up.level + 1 FROM up CROSS JOIN customers c
          ON c.tenant_id = NEW.tenant_id AND c.mode = NEW.mode AND c.id = up.id
        WHERE up.level <= 10
      ) SELECT max(level) FROM up WHERE id IS NOT NULL
    ) + 1 + (
      WITH RECURSIVE down(id, level) AS (
        SELECT NEW.id, 0
        UNION ALL
        SELECT c.id, down.level + 1 FROM down CROSS JOIN customers c INDEXED BY customers_parent
          ON c.tenant_id = NEW.tenant_id AND c.mode = NEW.mode AND c.parent_id = down.id
        WHERE c.archived_at IS NULL AND down.level <= 10
      ) SELECT max(level) FROM down
    ) > 10;
END;
--> statement-breakpoint
-- A customer that others still belong to is not archived.
CREATE TRIGGER customers_children BEFORE UPDATE OF archived_at ON customers
WHEN NEW.archived_at IS NOT NULL AND OLD.archived_at IS NULL
BEGIN
  SELECT RAISE(ABORT, 'has_children') WHERE EXISTS (
    SELECT 1 FROM customers c INDEXED BY customers_parent
    WHERE c.tenant_id = NEW.tenant_id AND c.mode = NEW.mode AND c.parent_id = NEW.id AND c.archived_at IS NULL
  );
END;
--> statement-breakpoint
-- A merge patch adds keys that the request alone can not count.
CREATE TRIGGER customers_metadata BEFORE UPDATE OF metadata ON customers
WHEN NEW.metadata IS NOT OLD.metadata
BEGIN
  SELECT RAISE(ABORT, 'metadata_too_many_keys') WHERE (SELECT count(*) FROM json_each(NEW.metadata)) > 50;
END;
--> statement-breakpoint
-- What follows from a new customer.
CREATE TRIGGER customers_created AFTER INSERT ON customers
BEGIN
  DELETE FROM customer_aliases
  WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND external_id = NEW.external_id;
  INSERT INTO integration_mappings (tenant_id, mode, provider, entity_id, customer_id)
  SELECT NEW.tenant_id, NEW.mode, value ->> '$.provider', value ->> '$.id', NEW.id FROM json_each(NEW.integrations);
  INSERT INTO customer_counts (tenant_id, mode, status, count) VALUES (NEW.tenant_id, NEW.mode, NEW.status, 1)
  ON CONFLICT (tenant_id, mode, status) DO UPDATE SET count = count + 1;
  INSERT INTO events (tenant_id, mode, id, type, customer_id, version, actor, request_id, reason, before, after, created_at)
  VALUES (
    NEW.tenant_id, NEW.mode, NEW.change_id, 'customer.created', NEW.id, NEW.version,
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
      )
    ), NEW.updated_at
  );
END;
--> statement-breakpoint
-- What follows from a changed one. An archived customer gives up its aliases and its mappings.
CREATE TRIGGER customers_changed AFTER UPDATE ON customers
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
