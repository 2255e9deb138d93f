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
-- The event of an erasure has no personal data. Its receipt has the number of rows that lose something, so they are counted first.
CREATE TRIGGER customers_erased AFTER UPDATE OF erased_at ON customers
WHEN NEW.erased_at IS NOT NULL AND OLD.erased_at IS NULL
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
      WHERE e.tenant_id = NEW.tenant_id AND e.mode = NEW.mode AND e.customer_id = NEW.id
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
        'customers', 1,
        'events', (
          SELECT count(*) FROM events INDEXED BY events_customer
          WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id
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
          WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id
        ),
        'webhook_attempts', (
          SELECT count(*) FROM webhook_deliveries d INDEXED BY webhook_deliveries_chain
            CROSS JOIN webhook_attempts a ON a.delivery_id = d.id
          WHERE d.tenant_id = NEW.tenant_id AND d.mode = NEW.mode AND d.customer_id = NEW.id AND a.answer IS NOT NULL
        ),
        'onboarding_runs', (
          SELECT count(*) FROM onboarding_runs
          WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id
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
    WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id AND id <> NEW.change_id
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
    WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id
  );
  -- The response of a receiver may repeat what was sent to it.
  UPDATE webhook_attempts SET answer = NULL WHERE delivery_id IN (
    SELECT id FROM webhook_deliveries INDEXED BY webhook_deliveries_chain
    WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id
  );
  -- A workflow that is under way finds its run gone, and stops.
  DELETE FROM onboarding_runs
  WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id;
  UPDATE customer_counts SET count = count - 1
  WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND status = iif(OLD.archived_at IS NOT NULL, 'archived', OLD.status);
  -- A minute later: by then KV shows every change everywhere, and every read that was under way is over.
  INSERT INTO erasures (tenant_id, mode, customer_id, due_at)
  VALUES (NEW.tenant_id, NEW.mode, NEW.id, NEW.erased_at + 60000);
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
      WHERE e.tenant_id = NEW.tenant_id AND e.mode = NEW.mode AND e.customer_id = NEW.id
    ), 0)
  )
  ON CONFLICT (tenant_id, mode) DO UPDATE SET bytes = bytes + excluded.bytes;
END;
