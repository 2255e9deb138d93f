-- Erasing a customer. The trigger deletes or clears what is personal in every table, in the transaction of the erasure, for
-- every writer. The row of the customer stays, archived, so that its id is never given to another.
-- A new table with personal data of a customer must be cleared here too.
-- Each statement finds the rows of the customer by an index that it names, whatever SQLite knows of the tables: otherwise it
-- would read all rows of the tenant. SQLite takes the name of an index only in a SELECT of a trigger.

-- Keys of KV to delete once more: a reader that was under way may have put an old value back.
CREATE TABLE erasures (
  tenant_id text NOT NULL,
  mode text NOT NULL,
  customer_id text NOT NULL,
  kv_keys text,
  due_at integer NOT NULL,
  PRIMARY KEY (tenant_id, mode, customer_id)
) WITHOUT ROWID;
--> statement-breakpoint
-- The rows that a customer is erased with: its own, and those of the customers that were merged into it.
CREATE VIEW customer_remains AS
SELECT tenant_id, mode, id AS owner_id, id FROM customers
UNION ALL
SELECT tenant_id, mode, merged_into AS owner_id, id FROM customers INDEXED BY customers_merged WHERE merged_into IS NOT NULL;
--> statement-breakpoint
-- The times for which a customer was merged into another one, its host. The events of the host from above the first version to the last
-- have values of both. A time that lasts has no end. The events of merges and unmerges write it, and the archive asks it whose
-- data an old event has. Of a customer that came to its host with a third one, the version it had itself is the first.
CREATE TABLE customer_stays (
  tenant_id text NOT NULL,
  mode text NOT NULL,
  host_id text NOT NULL,
  customer_id text NOT NULL,
  above_version integer NOT NULL,
  until_version integer,
  since integer NOT NULL,
  until_at integer,
  PRIMARY KEY (tenant_id, mode, host_id, customer_id, above_version)
) WITHOUT ROWID;
--> statement-breakpoint
-- Finds the hosts of a customer that is erased or comes back.
CREATE INDEX customer_stays_customer ON customer_stays (tenant_id, mode, customer_id);
--> statement-breakpoint
CREATE TRIGGER events_begin_stay AFTER INSERT ON events
WHEN NOT EXISTS (SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)
  AND NEW.type = 'customer.merged'
BEGIN
  INSERT INTO customer_stays (tenant_id, mode, host_id, customer_id, above_version, since)
  VALUES (NEW.tenant_id, NEW.mode, NEW.customer_id, NEW.detail ->> '$.source_id', NEW.version - 1, NEW.created_at)
  ON CONFLICT (tenant_id, mode, host_id, customer_id, above_version) DO NOTHING;
END;
--> statement-breakpoint
CREATE TRIGGER events_end_stay AFTER INSERT ON events
WHEN NOT EXISTS (SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)
  AND NEW.type = 'customer.restored' AND NEW.detail ->> '$.survivor_id' IS NOT NULL
BEGIN
  INSERT INTO customer_stays (tenant_id, mode, host_id, customer_id, above_version, since)
  SELECT NEW.tenant_id, NEW.mode, NEW.detail ->> '$.survivor_id', NEW.customer_id,
    coalesce(NEW.before ->> '$.version', NEW.version - 1), round(unixepoch(NEW.detail ->> '$.merged_at', 'subsec') * 1000)
  WHERE NOT EXISTS (
    SELECT 1 FROM customer_stays s WHERE s.tenant_id = NEW.tenant_id AND s.mode = NEW.mode
      AND s.host_id = NEW.detail ->> '$.survivor_id' AND s.customer_id = NEW.customer_id AND s.until_version IS NULL
  )
  ON CONFLICT (tenant_id, mode, host_id, customer_id, above_version) DO NOTHING;
  UPDATE customer_stays SET until_version = NEW.version, until_at = NEW.created_at
  WHERE until_version IS NULL AND (tenant_id, mode, host_id, customer_id, above_version) IN (
    SELECT s.tenant_id, s.mode, s.host_id, s.customer_id, s.above_version FROM customer_stays s INDEXED BY customer_stays_customer
    WHERE s.tenant_id = NEW.tenant_id AND s.mode = NEW.mode AND s.customer_id = NEW.customer_id
  );
END;
--> statement-breakpoint
-- An insertion into this view erases what a stay left with the host. Nobody knows which values were whose, so all events of the host
-- from the merge to the unmerge lose what an erasure of the host would take from them.
CREATE VIEW erased_stays AS
SELECT tenant_id, mode, customer_id, host_id, above_version, until_version, since, 0 AS erased_at FROM customer_stays;
--> statement-breakpoint
CREATE TRIGGER customer_stays_erased INSTEAD OF INSERT ON erased_stays
BEGIN
  UPDATE storage_use SET bytes = bytes - coalesce((
      SELECT sum(octet_length(concat_ws('', e.before, e.after, e.detail, e.reason))) FROM events e INDEXED BY events_customer_version
      WHERE e.customer_id = NEW.host_id AND e.tenant_id = NEW.tenant_id AND e.mode = NEW.mode
        AND e.version > NEW.above_version AND e.version <= NEW.until_version AND e.created_at >= NEW.since
    ), 0)
  WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode;
  UPDATE events SET before = NULL, reason = NULL, detail = NULL, after = json_remove(
    json_object(
      'external_id', customer_id, 'status', after ->> '$.status', 'archived_at', after ->> '$.archived_at',
      'stamps', json(after -> '$.stamps')
    ),
    iif(after ->> '$.status' IS NULL, '$.status', '$.x'),
    iif(after ->> '$.archived_at' IS NULL, '$.archived_at', '$.x')
  )
  WHERE rowid IN (
    SELECT e.rowid FROM events e INDEXED BY events_customer_version
    WHERE e.customer_id = NEW.host_id AND e.tenant_id = NEW.tenant_id AND e.mode = NEW.mode
      AND e.version > NEW.above_version AND e.version <= NEW.until_version AND e.created_at >= NEW.since
  );
  UPDATE storage_use SET bytes = bytes + coalesce((
      SELECT sum(octet_length(concat_ws('', e.before, e.after, e.detail, e.reason))) FROM events e INDEXED BY events_customer_version
      WHERE e.customer_id = NEW.host_id AND e.tenant_id = NEW.tenant_id AND e.mode = NEW.mode
        AND e.version > NEW.above_version AND e.version <= NEW.until_version AND e.created_at >= NEW.since
    ), 0)
  WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode;
  -- A refusal may name the external id of the guest.
  UPDATE idempotency_records SET fingerprint = '', customer_id = NULL, change_id = NULL, effect = NULL, failure = NULL
  WHERE (tenant_id, mode, key) IN (
    SELECT r.tenant_id, r.mode, r.key FROM idempotency_records r INDEXED BY idempotency_records_customer
    WHERE r.tenant_id = NEW.tenant_id AND r.mode = NEW.mode AND r.customer_id = NEW.host_id
      AND (r.failure IS NOT NULL OR r.change_id IN (
        SELECT e.id FROM events e INDEXED BY events_customer_version
        WHERE e.customer_id = NEW.host_id AND e.tenant_id = NEW.tenant_id AND e.mode = NEW.mode
          AND e.version > NEW.above_version AND e.version <= NEW.until_version AND e.created_at >= NEW.since
      ))
  );
  UPDATE webhook_attempts SET answer = NULL WHERE delivery_id IN (
    SELECT d.id FROM webhook_deliveries d INDEXED BY webhook_deliveries_chain
    WHERE d.tenant_id = NEW.tenant_id AND d.mode = NEW.mode AND d.customer_id = NEW.host_id AND d.event_id IN (
      SELECT e.id FROM events e INDEXED BY events_customer_version
      WHERE e.customer_id = NEW.host_id AND e.tenant_id = NEW.tenant_id AND e.mode = NEW.mode
        AND e.version > NEW.above_version AND e.version <= NEW.until_version AND e.created_at >= NEW.since
    )
  );
  UPDATE customers SET change_detail = NULL
  WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND id = NEW.host_id AND change_detail IS NOT NULL;
  -- KV may still have the host as it was then.
  INSERT INTO erasures (tenant_id, mode, customer_id, due_at)
  SELECT NEW.tenant_id, NEW.mode, NEW.host_id, NEW.erased_at + 60000 WHERE true
  ON CONFLICT (tenant_id, mode, customer_id) DO NOTHING;
END;
--> statement-breakpoint
-- Before the trigger below, which deletes the stays. A host may have been a guest itself meanwhile.
-- A host that is erased with the customer loses everything anyway.
CREATE TRIGGER customers_erase_stays BEFORE UPDATE OF erased_at ON customers
WHEN NOT EXISTS (SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)
  AND NEW.erased_at IS NOT NULL AND OLD.erased_at IS NULL AND NEW.merged_into IS NULL
BEGIN
  INSERT INTO erased_stays (tenant_id, mode, customer_id, host_id, above_version, until_version, since, erased_at)
  WITH RECURSIVE stays(host_id, above_version, until_version, since) AS (
    SELECT s.host_id, s.above_version, coalesce(s.until_version, 9007199254740991), s.since
    FROM (
      SELECT NEW.id AS id
      UNION ALL
      SELECT c.id FROM customers c INDEXED BY customers_merged
      WHERE c.tenant_id = NEW.tenant_id AND c.mode = NEW.mode AND c.merged_into = NEW.id
    ) r CROSS JOIN customer_stays s INDEXED BY customer_stays_customer
      ON s.customer_id = r.id AND s.tenant_id = NEW.tenant_id AND s.mode = NEW.mode
    UNION
    SELECT s.host_id, s.above_version, coalesce(s.until_version, 9007199254740991), s.since
    FROM stays g CROSS JOIN customer_stays s INDEXED BY customer_stays_customer
      ON s.customer_id = g.host_id AND s.tenant_id = NEW.tenant_id AND s.mode = NEW.mode
        AND coalesce(s.until_version, 9007199254740991) > g.above_version
        AND coalesce(s.until_version, 9007199254740991) <= g.until_version AND s.since >= g.since
  )
  SELECT NEW.tenant_id, NEW.mode, NEW.id, host_id, above_version, until_version, since, NEW.erased_at FROM stays
  WHERE host_id NOT IN (
    SELECT id FROM customer_remains WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND owner_id = NEW.id
  );
END;
--> statement-breakpoint
-- The event of an erasure has no personal data. Its receipt has the number of rows that lose something, so they are counted first.
CREATE TRIGGER customers_erased AFTER UPDATE OF erased_at ON customers
WHEN NOT EXISTS (SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)
  AND NEW.erased_at IS NOT NULL AND OLD.erased_at IS NULL AND NEW.merged_into IS NULL
BEGIN
  -- The bytes of the customer and its events before, and below those after.
  UPDATE storage_use SET bytes = bytes - (
      1300 + octet_length(concat_ws(
        '', OLD.external_id, OLD.name, OLD.email, OLD.email_ascii, OLD.contact, OLD.address_line1,
        OLD.address_line2, OLD.address_city, OLD.address_state, OLD.address_postal_code,
        OLD.address_country, OLD.timezone, OLD.metadata, OLD.integrations, OLD.profile, OLD.folded
      ))
    ) - coalesce((
      SELECT sum(500 + octet_length(concat_ws('', e.before, e.after, e.detail, e.reason)) + 1000 * e.deliveries)
      FROM events e INDEXED BY events_customer
      WHERE e.tenant_id = NEW.tenant_id AND e.mode = NEW.mode AND e.customer_id IN (
        SELECT id FROM customer_remains WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND owner_id = NEW.id
      )
    ), 0)
  WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode;
  INSERT INTO events (tenant_id, mode, id, type, customer_id, version, actor, request_id, reason, before, after, created_at)
  VALUES (
    NEW.tenant_id, NEW.mode, NEW.change_id, 'customer.erased', NEW.id, NEW.version,
    NEW.updated_by, NEW.change_request_id, NEW.change_reason,
    NULL,
    json_insert(
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
      '$.erased_rows', json_object(
        'customers', 1 + (
          SELECT count(*) FROM customers INDEXED BY customers_merged
          WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND merged_into = NEW.id
        ),
        'events', (
          SELECT count(*) FROM events INDEXED BY events_customer
          WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id IN (
            SELECT id FROM customer_remains WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND owner_id = NEW.id
          )
        ),
        'aliases', (
          SELECT count(*) FROM customer_aliases INDEXED BY customer_aliases_customer
          WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id
        ),
        'integrations', (
          SELECT count(*) FROM integration_mappings
          WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id
            AND (provider, entity_id) IN (SELECT value ->> '$.provider', value ->> '$.id' FROM json_each(OLD.integrations))
        ),
        'idempotency_records', (
          SELECT count(*) FROM idempotency_records INDEXED BY idempotency_records_customer
          WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id IN (
            SELECT id FROM customer_remains WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND owner_id = NEW.id
          )
        ),
        'webhook_attempts', (
          SELECT count(*) FROM webhook_deliveries d INDEXED BY webhook_deliveries_chain
            CROSS JOIN webhook_attempts a ON a.delivery_id = d.id
          WHERE d.tenant_id = NEW.tenant_id AND d.mode = NEW.mode AND d.customer_id IN (
            SELECT id FROM customer_remains WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND owner_id = NEW.id
          ) AND a.answer IS NOT NULL
        ),
        'onboarding_runs', (
          SELECT count(*) FROM onboarding_runs
          WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id IN (
            SELECT id FROM customer_remains WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND owner_id = NEW.id
          )
        )
      )
    ),
    NEW.updated_at
  );
  -- Earlier events still show when something was done and by whom, but not what, and not why: a reason may name a person.
  UPDATE events SET before = NULL, reason = NULL, detail = NULL, after = json_remove(
    json_object(
      'external_id', customer_id, 'status', after ->> '$.status', 'archived_at', after ->> '$.archived_at',
      'stamps', json(after -> '$.stamps')
    ),
    iif(after ->> '$.status' IS NULL, '$.status', '$.x'),
    iif(after ->> '$.archived_at' IS NULL, '$.archived_at', '$.x')
  )
  WHERE rowid IN (
    SELECT rowid FROM events INDEXED BY events_customer
    WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id IN (
      SELECT id FROM customer_remains WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND owner_id = NEW.id
    ) AND id <> NEW.change_id
  );
  DELETE FROM customer_aliases
  WHERE (tenant_id, mode, external_id) IN (
    SELECT tenant_id, mode, external_id FROM customer_aliases INDEXED BY customer_aliases_customer
    WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id
  );
  DELETE FROM integration_mappings
  WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id
    AND (provider, entity_id) IN (SELECT value ->> '$.provider', value ->> '$.id' FROM json_each(OLD.integrations));
  -- The key stays used, with a fingerprint that no request has: a late repeat of the request that created this customer must
  -- not create it again.
  UPDATE idempotency_records SET fingerprint = '', customer_id = NULL, change_id = NULL, effect = NULL, failure = NULL
  WHERE (tenant_id, mode, key) IN (
    SELECT tenant_id, mode, key FROM idempotency_records INDEXED BY idempotency_records_customer
    WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id IN (
      SELECT id FROM customer_remains WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND owner_id = NEW.id
    )
  );
  -- The response of a receiver may repeat what was sent to it.
  UPDATE webhook_attempts SET answer = NULL WHERE delivery_id IN (
    SELECT id FROM webhook_deliveries INDEXED BY webhook_deliveries_chain
    WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id IN (
      SELECT id FROM customer_remains WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND owner_id = NEW.id
    )
  );
  -- A workflow that is under way finds its run gone, and stops.
  DELETE FROM onboarding_runs
  WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id IN (
    SELECT id FROM customer_remains WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND owner_id = NEW.id
  );
  UPDATE customer_counts SET count = count - 1
  WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND status = iif(OLD.archived_at IS NOT NULL, 'archived', OLD.status);
  -- A minute later: by then KV shows every change everywhere, and every read that was under way is over.
  INSERT INTO erasures (tenant_id, mode, customer_id, due_at)
  SELECT NEW.tenant_id, NEW.mode, NEW.id, NEW.erased_at + 60000
  UNION ALL
  SELECT tenant_id, mode, id, NEW.erased_at + 60000 FROM customers INDEXED BY customers_merged
  WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND merged_into = NEW.id
  ON CONFLICT (tenant_id, mode, customer_id) DO UPDATE SET due_at = excluded.due_at;
  DELETE FROM customer_merges WHERE (tenant_id, mode, source_id) IN (
    SELECT tenant_id, mode, id FROM customer_remains
    WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND owner_id = NEW.id
  );
  DELETE FROM former_external_ids WHERE (tenant_id, mode, external_id, left_at, customer_id) IN (
    SELECT f.tenant_id, f.mode, f.external_id, f.left_at, f.customer_id
    FROM customer_remains r CROSS JOIN former_external_ids f INDEXED BY former_external_ids_customer
      ON f.tenant_id = r.tenant_id AND f.mode = r.mode AND f.customer_id = r.id
    WHERE r.tenant_id = NEW.tenant_id AND r.mode = NEW.mode AND r.owner_id = NEW.id
  );
  DELETE FROM customer_stays WHERE (tenant_id, mode, host_id, customer_id, above_version) IN (
    SELECT s.tenant_id, s.mode, s.host_id, s.customer_id, s.above_version
    FROM customer_remains r CROSS JOIN customer_stays s INDEXED BY customer_stays_customer
      ON s.tenant_id = r.tenant_id AND s.mode = r.mode AND s.customer_id = r.id
    WHERE r.tenant_id = NEW.tenant_id AND r.mode = NEW.mode AND r.owner_id = NEW.id
  );
  INSERT INTO storage_use (tenant_id, mode, bytes)
  VALUES (
    NEW.tenant_id, NEW.mode,
    1300 + octet_length(concat_ws(
      '', NEW.external_id, NEW.name, NEW.email, NEW.email_ascii, NEW.contact, NEW.address_line1,
      NEW.address_line2, NEW.address_city, NEW.address_state, NEW.address_postal_code,
      NEW.address_country, NEW.timezone, NEW.metadata, NEW.integrations, NEW.profile, NEW.folded
    ))
    + coalesce((
      SELECT sum(500 + octet_length(concat_ws('', e.before, e.after, e.detail, e.reason)) + 1000 * e.deliveries)
      FROM events e INDEXED BY events_customer
      WHERE e.tenant_id = NEW.tenant_id AND e.mode = NEW.mode AND e.customer_id IN (
        SELECT id FROM customer_remains WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND owner_id = NEW.id
      )
    ), 0)
  )
  ON CONFLICT (tenant_id, mode) DO UPDATE SET bytes = bytes + excluded.bytes;
END;
--> statement-breakpoint
-- The row of a customer that was merged into one that is erased. It is in no count, and has no names any more.
CREATE TRIGGER customers_merged_erased AFTER UPDATE OF erased_at ON customers
WHEN NOT EXISTS (SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)
  AND NEW.erased_at IS NOT NULL AND OLD.erased_at IS NULL AND NEW.merged_into IS NOT NULL
BEGIN
  UPDATE storage_use SET bytes = bytes + octet_length(concat_ws(
    '', NEW.external_id, NEW.name, NEW.email, NEW.email_ascii, NEW.contact, NEW.address_line1,
    NEW.address_line2, NEW.address_city, NEW.address_state, NEW.address_postal_code,
    NEW.address_country, NEW.timezone, NEW.metadata, NEW.integrations, NEW.profile, NEW.folded
  )) - octet_length(concat_ws(
    '', OLD.external_id, OLD.name, OLD.email, OLD.email_ascii, OLD.contact, OLD.address_line1,
    OLD.address_line2, OLD.address_city, OLD.address_state, OLD.address_postal_code,
    OLD.address_country, OLD.timezone, OLD.metadata, OLD.integrations, OLD.profile, OLD.folded
  ))
  WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode;
END;
