-- Events: one row for each change of a customer. Log and audit are this same row.
-- The triggers write everything that follows from a change inside its transaction: aliases, integration mappings, counts, event.
-- So no writer can forget them.
-- This table has a rowid: of a row without one SQLite puts all above 1,002 bytes into pages of its own, 4,096 bytes each.
CREATE TABLE events (
  tenant_id text NOT NULL,
  mode text NOT NULL,
  id text NOT NULL,
  type text NOT NULL,
  customer_id text NOT NULL,
  version integer NOT NULL,
  actor text NOT NULL,
  request_id text,
  reason text,
  before text,
  after text NOT NULL,
  detail text,
  created_at integer NOT NULL,
  deliveries integer DEFAULT 0 NOT NULL,
  PRIMARY KEY (tenant_id, mode, id)
);
--> statement-breakpoint
-- Finds the events of one customer, to show or erase them, in the order of their ids. The customer comes first, so that the audit
-- finds a customer without its tenant.
CREATE INDEX events_customer ON events (customer_id, tenant_id, mode, id);
--> statement-breakpoint
-- Finds the change that made a version of a customer, and with a few steps the first change after a moment: what it found is what the
-- customer was then. Ids do not do for that, because an import makes those of its changes before it commits them.
CREATE INDEX events_customer_version ON events (customer_id, tenant_id, mode, version);
--> statement-breakpoint
-- Finds who had an external id at a moment: the first customer that gave it up afterwards. An archived customer has none to give up.
-- Of events that are in the archive, the table former_external_ids has the same.
CREATE INDEX events_left_external_id ON events (
  coalesce(before ->> '$.external_id', after ->> '$.external_id'), tenant_id, mode, created_at
) WHERE type = 'customer.archived' OR (
  type = 'customer.updated' AND before ->> '$.external_id' IS NOT NULL AND after ->> '$.archived_at' IS NULL
);
--> statement-breakpoint
-- The column after has the customer without what is null, initial, or in other columns of the event, and before has only what
-- differed. src/storage/event-documents.ts reads both.
-- The column deliveries has the number of endpoints that get the event. A delivery counts 1,000 bytes, as long as the event is kept.
CREATE TRIGGER customers_created AFTER INSERT ON customers
WHEN NOT EXISTS (SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)
BEGIN
  -- An import may bring an archived customer. That one takes no external id and no mapping.
  DELETE FROM customer_aliases
  WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND external_id = NEW.external_id AND NEW.archived_at IS NULL;
  INSERT INTO integration_mappings (tenant_id, mode, provider, entity_id, customer_id)
  SELECT NEW.tenant_id, NEW.mode, value ->> '$.provider', value ->> '$.id', NEW.id FROM json_each(NEW.integrations)
  WHERE NEW.archived_at IS NULL;
  INSERT INTO customer_counts (tenant_id, mode, status, count)
  VALUES (NEW.tenant_id, NEW.mode, iif(NEW.archived_at IS NOT NULL, 'archived', NEW.status), 1)
  ON CONFLICT (tenant_id, mode, status) DO UPDATE SET count = count + 1;
  INSERT INTO events (tenant_id, mode, id, type, customer_id, version, actor, request_id, reason, before, after, created_at, deliveries)
  VALUES (
    NEW.tenant_id, NEW.mode, NEW.change_id, 'customer.created', NEW.id, NEW.version,
    NEW.updated_by, NEW.change_request_id, NEW.change_reason,
    NULL,
    json_remove(
      json_object(
        'external_id', NEW.external_id, 'name', NEW.name, 'email', NEW.email, 'contact', NEW.contact,
        'timezone', NEW.timezone,
        'address', json_object(
          'line1', NEW.address_line1, 'line2', NEW.address_line2, 'city', NEW.address_city,
          'state', NEW.address_state, 'postal_code', NEW.address_postal_code, 'country', NEW.address_country
        ),
        'parent_id', NEW.parent_id, 'metadata', json(NEW.metadata), 'integrations', json(NEW.integrations),
        'profile', json(NEW.profile), 'status', NEW.status, 'archived_at', NEW.archived_at,
        'stamps', json_object('created_at', NEW.created_at, 'created_by', NEW.created_by)
      ),
      iif(NEW.name IS NULL, '$.name', '$.x'), iif(NEW.email IS NULL, '$.email', '$.x'),
      iif(NEW.contact IS NULL, '$.contact', '$.x'), iif(NEW.timezone = 'UTC', '$.timezone', '$.x'),
      iif(NEW.address_line1 IS NULL, '$.address.line1', '$.x'),
      iif(NEW.address_line2 IS NULL, '$.address.line2', '$.x'),
      iif(NEW.address_city IS NULL, '$.address.city', '$.x'),
      iif(NEW.address_state IS NULL, '$.address.state', '$.x'),
      iif(NEW.address_postal_code IS NULL, '$.address.postal_code', '$.x'),
      iif(NEW.address_country IS NULL, '$.address.country', '$.x'), iif(NEW.parent_id IS NULL, '$.parent_id', '$.x'),
      iif(NEW.metadata = '{}', '$.metadata', '$.x'), iif(NEW.integrations = '[]', '$.integrations', '$.x'),
      iif(NEW.profile = '{}', '$.profile', '$.x'), iif(NEW.status = 'published', '$.status', '$.x'),
      iif(NEW.archived_at IS NULL, '$.archived_at', '$.x'),
      iif(NEW.created_at = NEW.updated_at, '$.stamps.created_at', '$.x'),
      iif(NEW.created_by = NEW.updated_by, '$.stamps.created_by', '$.x'),
      iif(
        NEW.address_line1 IS NULL AND NEW.address_line2 IS NULL AND NEW.address_city IS NULL
        AND NEW.address_state IS NULL AND NEW.address_postal_code IS NULL AND NEW.address_country IS NULL,
        '$.address', '$.x'
      )
    ),
    NEW.updated_at,
    (
      SELECT count(*) FROM webhook_endpoints e WHERE e.tenant_id = NEW.tenant_id AND e.mode = NEW.mode AND e.enabled = 1
        AND (e.event_types IS NULL OR 'customer.created' IN (SELECT value FROM json_each(e.event_types)))
    )
  );
  INSERT INTO storage_use (tenant_id, mode, bytes)
  SELECT NEW.tenant_id, NEW.mode, 1300 + octet_length(concat_ws(
    '', NEW.external_id, NEW.name, NEW.email, NEW.email_ascii, NEW.contact, NEW.address_line1,
    NEW.address_line2, NEW.address_city, NEW.address_state, NEW.address_postal_code,
    NEW.address_country, NEW.timezone, NEW.metadata, NEW.integrations, NEW.profile, NEW.folded
  ))
    + 500 + octet_length(concat_ws('', e.before, e.after, e.detail, e.reason)) + 1000 * e.deliveries
  FROM events e WHERE e.tenant_id = NEW.tenant_id AND e.mode = NEW.mode AND e.id = NEW.change_id
  ON CONFLICT (tenant_id, mode) DO UPDATE SET bytes = bytes + excluded.bytes;
  SELECT RAISE(ABORT, 'storage_used_up') FROM storage_use u CROSS JOIN tenants t ON t.id = u.tenant_id
  WHERE u.tenant_id = NEW.tenant_id AND u.mode = NEW.mode
    AND u.bytes > iif(u.mode = 'test', 50000000, t.storage_bytes);
END;
--> statement-breakpoint
-- An archived customer gives up its external id, its aliases and its mappings: restored with another external id, it has no alias.
-- An erasure is not for this trigger: customers_erased handles it. Nor is the row of a customer that is merged into another one, or
-- comes back from there: customers_merged and customers_unmerged handle it.
-- Entities are given up by their owner only: an unmerge has given them to the other customer before.
-- Nor is what leaves the id of the last change in the row: an erasure of another customer takes the detail of that change out of it,
-- and the archive gives the customer its key.
CREATE TRIGGER customers_changed AFTER UPDATE ON customers
WHEN NOT EXISTS (SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)
  AND NEW.erased_at IS NULL AND NEW.merged_into IS NULL AND OLD.merged_into IS NULL
  AND NEW.change_id <> OLD.change_id
BEGIN
  DELETE FROM customer_aliases
  WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND external_id = NEW.external_id
    AND NEW.archived_at IS NULL AND (NEW.external_id <> OLD.external_id OR OLD.archived_at IS NOT NULL);
  INSERT INTO customer_aliases (tenant_id, mode, external_id, customer_id)
  SELECT NEW.tenant_id, NEW.mode, OLD.external_id, NEW.id
  WHERE NEW.external_id <> OLD.external_id AND OLD.archived_at IS NULL
  ON CONFLICT (tenant_id, mode, external_id) DO UPDATE SET customer_id = excluded.customer_id, merged_from = NULL;
  DELETE FROM customer_aliases
  WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id
    AND NEW.archived_at IS NOT NULL AND OLD.archived_at IS NULL;

  DELETE FROM integration_mappings
  WHERE OLD.archived_at IS NULL AND (NEW.integrations <> OLD.integrations OR NEW.archived_at IS NOT NULL)
    AND tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id
    AND (provider, entity_id) IN (SELECT value ->> '$.provider', value ->> '$.id' FROM json_each(OLD.integrations));
  INSERT INTO integration_mappings (tenant_id, mode, provider, entity_id, customer_id)
  SELECT NEW.tenant_id, NEW.mode, value ->> '$.provider', value ->> '$.id', NEW.id FROM json_each(NEW.integrations)
  WHERE NEW.archived_at IS NULL AND (NEW.integrations <> OLD.integrations OR OLD.archived_at IS NOT NULL);

  -- Counted as archived, whatever its status, as long as archived_at is set.
  UPDATE customer_counts SET count = count - 1
  WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode
    AND status = iif(OLD.archived_at IS NOT NULL, 'archived', OLD.status)
    AND iif(OLD.archived_at IS NOT NULL, 'archived', OLD.status) <> iif(NEW.archived_at IS NOT NULL, 'archived', NEW.status);
  INSERT INTO customer_counts (tenant_id, mode, status, count)
  SELECT NEW.tenant_id, NEW.mode, iif(NEW.archived_at IS NOT NULL, 'archived', NEW.status), 1
  WHERE iif(OLD.archived_at IS NOT NULL, 'archived', OLD.status) <> iif(NEW.archived_at IS NOT NULL, 'archived', NEW.status)
  ON CONFLICT (tenant_id, mode, status) DO UPDATE SET count = count + 1;

  INSERT INTO events (tenant_id, mode, id, type, customer_id, version, actor, request_id, reason, before, after, detail, created_at, deliveries)
  SELECT
    NEW.tenant_id, NEW.mode, NEW.change_id, t.type, NEW.id, NEW.version, NEW.updated_by, NEW.change_request_id, NEW.change_reason,
    json_remove(
      json_object(
        'external_id', OLD.external_id, 'name', OLD.name, 'email', OLD.email, 'contact', OLD.contact,
        'timezone', OLD.timezone,
        'address', json_object(
          'line1', OLD.address_line1, 'line2', OLD.address_line2, 'city', OLD.address_city,
          'state', OLD.address_state, 'postal_code', OLD.address_postal_code, 'country', OLD.address_country
        ),
        'parent_id', OLD.parent_id, 'metadata', json(OLD.metadata), 'integrations', json(OLD.integrations),
        'profile', json(OLD.profile), 'status', OLD.status, 'archived_at', OLD.archived_at,
        'stamps', json_object(
          'created_at', OLD.created_at, 'created_by', OLD.created_by,
          'updated_at', OLD.updated_at, 'updated_by', OLD.updated_by
        ),
        'version', OLD.version
      ),
      iif(OLD.external_id IS NEW.external_id, '$.external_id', '$.x'), iif(OLD.name IS NEW.name, '$.name', '$.x'),
      iif(OLD.email IS NEW.email, '$.email', '$.x'), iif(OLD.contact IS NEW.contact, '$.contact', '$.x'),
      iif(OLD.timezone IS NEW.timezone, '$.timezone', '$.x'),
      iif(OLD.address_line1 IS NEW.address_line1, '$.address.line1', '$.x'),
      iif(OLD.address_line2 IS NEW.address_line2, '$.address.line2', '$.x'),
      iif(OLD.address_city IS NEW.address_city, '$.address.city', '$.x'),
      iif(OLD.address_state IS NEW.address_state, '$.address.state', '$.x'),
      iif(OLD.address_postal_code IS NEW.address_postal_code, '$.address.postal_code', '$.x'),
      iif(OLD.address_country IS NEW.address_country, '$.address.country', '$.x'),
      iif(OLD.parent_id IS NEW.parent_id, '$.parent_id', '$.x'),
      iif(OLD.metadata IS NEW.metadata, '$.metadata', '$.x'),
      iif(OLD.integrations IS NEW.integrations, '$.integrations', '$.x'),
      iif(OLD.profile IS NEW.profile, '$.profile', '$.x'), iif(OLD.status IS NEW.status, '$.status', '$.x'),
      iif(OLD.archived_at IS NEW.archived_at, '$.archived_at', '$.x'),
      iif(OLD.created_at IS NEW.created_at, '$.stamps.created_at', '$.x'),
      iif(OLD.created_by IS NEW.created_by, '$.stamps.created_by', '$.x'),
      iif(OLD.version = NEW.version - 1, '$.version', '$.x'),
      iif(OLD.updated_at IS NEW.updated_at, '$.stamps.updated_at', '$.x'),
      iif(OLD.updated_by IS NEW.updated_by, '$.stamps.updated_by', '$.x'),
      iif(
        OLD.address_line1 IS NEW.address_line1 AND OLD.address_line2 IS NEW.address_line2
        AND OLD.address_city IS NEW.address_city AND OLD.address_state IS NEW.address_state
        AND OLD.address_postal_code IS NEW.address_postal_code AND OLD.address_country IS NEW.address_country,
        '$.address', '$.x'
      )
    ),
    json_remove(
      json_object(
        'external_id', NEW.external_id, 'name', NEW.name, 'email', NEW.email, 'contact', NEW.contact,
        'timezone', NEW.timezone,
        'address', json_object(
          'line1', NEW.address_line1, 'line2', NEW.address_line2, 'city', NEW.address_city,
          'state', NEW.address_state, 'postal_code', NEW.address_postal_code, 'country', NEW.address_country
        ),
        'parent_id', NEW.parent_id, 'metadata', json(NEW.metadata), 'integrations', json(NEW.integrations),
        'profile', json(NEW.profile), 'status', NEW.status, 'archived_at', NEW.archived_at,
        'stamps', json_object('created_at', NEW.created_at, 'created_by', NEW.created_by)
      ),
      iif(NEW.name IS NULL, '$.name', '$.x'), iif(NEW.email IS NULL, '$.email', '$.x'),
      iif(NEW.contact IS NULL, '$.contact', '$.x'), iif(NEW.timezone = 'UTC', '$.timezone', '$.x'),
      iif(NEW.address_line1 IS NULL, '$.address.line1', '$.x'),
      iif(NEW.address_line2 IS NULL, '$.address.line2', '$.x'),
      iif(NEW.address_city IS NULL, '$.address.city', '$.x'),
      iif(NEW.address_state IS NULL, '$.address.state', '$.x'),
      iif(NEW.address_postal_code IS NULL, '$.address.postal_code', '$.x'),
      iif(NEW.address_country IS NULL, '$.address.country', '$.x'), iif(NEW.parent_id IS NULL, '$.parent_id', '$.x'),
      iif(NEW.metadata = '{}', '$.metadata', '$.x'), iif(NEW.integrations = '[]', '$.integrations', '$.x'),
      iif(NEW.profile = '{}', '$.profile', '$.x'), iif(NEW.status = 'published', '$.status', '$.x'),
      iif(NEW.archived_at IS NULL, '$.archived_at', '$.x'),
      iif(NEW.created_at = NEW.updated_at, '$.stamps.created_at', '$.x'),
      iif(NEW.created_by = NEW.updated_by, '$.stamps.created_by', '$.x'),
      iif(
        NEW.address_line1 IS NULL AND NEW.address_line2 IS NULL AND NEW.address_city IS NULL
        AND NEW.address_state IS NULL AND NEW.address_postal_code IS NULL AND NEW.address_country IS NULL,
        '$.address', '$.x'
      )
    ),
    iif(NEW.change_detail ->> '$.change_id' = NEW.change_id, NEW.change_detail -> '$.detail', NULL),
    NEW.updated_at,
    (
      SELECT count(*) FROM webhook_endpoints e WHERE e.tenant_id = NEW.tenant_id AND e.mode = NEW.mode AND e.enabled = 1
        AND (e.event_types IS NULL OR t.type IN (SELECT value FROM json_each(e.event_types)))
    )
  FROM (
    -- A merge and an unmerge say in change_detail what they are. Any other change leaves the column as an earlier one set it.
    SELECT iif(
      NEW.change_detail ->> '$.change_id' = NEW.change_id, NEW.change_detail ->> '$.type',
      iif(
        NEW.archived_at IS NOT NULL AND OLD.archived_at IS NULL, 'customer.archived',
        iif(NEW.archived_at IS NULL AND OLD.archived_at IS NOT NULL, 'customer.restored', 'customer.updated')
      )
    ) AS type
  ) t;
  INSERT INTO storage_use (tenant_id, mode, bytes)
  SELECT NEW.tenant_id, NEW.mode, 1300 + octet_length(concat_ws(
    '', NEW.external_id, NEW.name, NEW.email, NEW.email_ascii, NEW.contact, NEW.address_line1,
    NEW.address_line2, NEW.address_city, NEW.address_state, NEW.address_postal_code,
    NEW.address_country, NEW.timezone, NEW.metadata, NEW.integrations, NEW.profile, NEW.folded
  ))
    - (1300 + octet_length(concat_ws(
    '', OLD.external_id, OLD.name, OLD.email, OLD.email_ascii, OLD.contact, OLD.address_line1,
    OLD.address_line2, OLD.address_city, OLD.address_state, OLD.address_postal_code,
    OLD.address_country, OLD.timezone, OLD.metadata, OLD.integrations, OLD.profile, OLD.folded
  )))
    + 500 + octet_length(concat_ws('', e.before, e.after, e.detail, e.reason)) + 1000 * e.deliveries
  FROM events e WHERE e.tenant_id = NEW.tenant_id AND e.mode = NEW.mode AND e.id = NEW.change_id
  ON CONFLICT (tenant_id, mode) DO UPDATE SET bytes = bytes + excluded.bytes;
  SELECT RAISE(ABORT, 'storage_used_up') FROM storage_use u CROSS JOIN tenants t ON t.id = u.tenant_id
  WHERE u.tenant_id = NEW.tenant_id AND u.mode = NEW.mode
    AND u.bytes > iif(u.mode = 'test', 50000000, t.storage_bytes)
    AND NOT (NEW.archived_at IS NOT NULL AND OLD.archived_at IS NULL);
END;
--> statement-breakpoint
-- A customer that is merged into another one keeps its row, archived, and gives the other one its external ids. What else it gives
-- is in the statements of the merge. One that was archived before has neither external ids nor mappings.
CREATE TRIGGER customers_merged AFTER UPDATE OF merged_into ON customers
WHEN NOT EXISTS (SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)
  AND NEW.merged_into IS NOT NULL AND OLD.merged_into IS NULL
BEGIN
  UPDATE customer_aliases SET customer_id = NEW.merged_into, merged_from = coalesce(merged_from, NEW.id) WHERE (tenant_id, mode, external_id) IN (
    SELECT tenant_id, mode, external_id FROM customer_aliases INDEXED BY customer_aliases_customer
    WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id
  );
  INSERT INTO customer_aliases (tenant_id, mode, external_id, customer_id, merged_from)
  SELECT NEW.tenant_id, NEW.mode, NEW.external_id, NEW.merged_into, NEW.id WHERE OLD.archived_at IS NULL
  ON CONFLICT (tenant_id, mode, external_id) DO UPDATE SET customer_id = excluded.customer_id, merged_from = excluded.merged_from;
  DELETE FROM integration_mappings
  WHERE OLD.archived_at IS NULL AND tenant_id = NEW.tenant_id AND mode = NEW.mode
    AND (provider, entity_id) IN (SELECT value ->> '$.provider', value ->> '$.id' FROM json_each(OLD.integrations));
  UPDATE customer_counts SET count = count - 1
  WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND status = iif(OLD.archived_at IS NOT NULL, 'archived', OLD.status);
END;
--> statement-breakpoint
-- A customer that comes back from the one it was merged into. Its row is again what it was before, and it takes back its external
-- id, and its entities if the other customer still has them. What else goes back is in the statements of the unmerge.
CREATE TRIGGER customers_unmerged AFTER UPDATE OF merged_into ON customers
WHEN NOT EXISTS (SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)
  AND NEW.merged_into IS NULL AND OLD.merged_into IS NOT NULL
BEGIN
  DELETE FROM customer_aliases
  WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND external_id = NEW.external_id AND NEW.archived_at IS NULL;
  UPDATE integration_mappings SET customer_id = NEW.id
  WHERE NEW.archived_at IS NULL AND tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = OLD.merged_into
    AND (provider, entity_id) IN (SELECT value ->> '$.provider', value ->> '$.id' FROM json_each(NEW.integrations));
  INSERT INTO integration_mappings (tenant_id, mode, provider, entity_id, customer_id)
  SELECT NEW.tenant_id, NEW.mode, n.value ->> '$.provider', n.value ->> '$.id', NEW.id FROM json_each(NEW.integrations) n
  WHERE NEW.archived_at IS NULL AND NOT EXISTS (
    SELECT 1 FROM integration_mappings m WHERE m.tenant_id = NEW.tenant_id AND m.mode = NEW.mode
      AND m.provider = n.value ->> '$.provider' AND m.entity_id = n.value ->> '$.id' AND m.customer_id = NEW.id
  );
  INSERT INTO customer_counts (tenant_id, mode, status, count)
  VALUES (NEW.tenant_id, NEW.mode, iif(NEW.archived_at IS NOT NULL, 'archived', NEW.status), 1)
  ON CONFLICT (tenant_id, mode, status) DO UPDATE SET count = count + 1;
END;
--> statement-breakpoint
CREATE TRIGGER customer_merges_counted AFTER INSERT ON customer_merges
WHEN NOT EXISTS (SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)
BEGIN
  UPDATE storage_use SET bytes = bytes + octet_length(NEW.given) WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode;
END;
--> statement-breakpoint
CREATE TRIGGER customer_merges_changed AFTER UPDATE OF given ON customer_merges
WHEN NOT EXISTS (SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)
BEGIN
  UPDATE storage_use SET bytes = bytes + octet_length(NEW.given) - octet_length(OLD.given)
  WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode;
END;
--> statement-breakpoint
CREATE TRIGGER customer_merges_deleted AFTER DELETE ON customer_merges
WHEN NOT EXISTS (SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = OLD.tenant_id)
BEGIN
  UPDATE storage_use SET bytes = bytes - octet_length(OLD.given) WHERE tenant_id = OLD.tenant_id AND mode = OLD.mode;
END;
--> statement-breakpoint
-- An event that is no change of a customer is counted here, without a check: Roster itself writes it.
CREATE TRIGGER events_counted AFTER INSERT ON events
WHEN NOT EXISTS (SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)
  AND NEW.type NOT IN (
  'customer.created', 'customer.updated', 'customer.archived', 'customer.restored', 'customer.merged', 'customer.unmerged',
  'customer.erased'
)
BEGIN
  INSERT INTO storage_use (tenant_id, mode, bytes)
  VALUES (NEW.tenant_id, NEW.mode, 500 + octet_length(concat_ws('', NEW.before, NEW.after, NEW.detail, NEW.reason)) + 1000 * NEW.deliveries)
  ON CONFLICT (tenant_id, mode) DO UPDATE SET bytes = bytes + excluded.bytes;
END;
--> statement-breakpoint
CREATE TRIGGER events_deleted AFTER DELETE ON events
WHEN NOT EXISTS (SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = OLD.tenant_id)
BEGIN
  UPDATE storage_use SET bytes = bytes - (500 + octet_length(concat_ws('', OLD.before, OLD.after, OLD.detail, OLD.reason)) + 1000 * OLD.deliveries)
  WHERE tenant_id = OLD.tenant_id AND mode = OLD.mode;
END;
