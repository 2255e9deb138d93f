-- Erasing a customer. The trigger deletes or clears what is personal in every table, in the transaction of the erasure, for
-- every writer. The row of the customer stays, archived, so that its id is never given to another.
-- A new table with personal data of a customer must be cleared here too.

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
  INSERT INTO events (tenant_id, mode, id, type, customer_id, version, actor, request_id, reason, before, after, created_at)
  VALUES (
    NEW.tenant_id, NEW.mode, NEW.change_id, 'customer.erased', NEW.id, NEW.version,
    NEW.updated_by, NEW.change_request_id, NEW.change_reason,
    NULL,
    json_set(
      json_object(
        'id', NEW.id, 'external_id', NEW.external_id, 'name', NEW.name, 'email', NEW.email, 'contact', NEW.contact,
        'timezone', NEW.timezone, 'address', json_object(
          'line1', NEW.address_line1, 'line2', NEW.address_line2, 'city', NEW.address_city,
          'state', NEW.address_state, 'postal_code', NEW.address_postal_code, 'country', NEW.address_country
        ),
        'parent_id', NEW.parent_id, 'metadata', json(NEW.metadata),
        'integrations', json(NEW.integrations), 'profile', json(NEW.profile)
      ),
      '$.status', NEW.status, '$.archived_at', NEW.archived_at, '$.version', NEW.version, '$.stamps', json_object(
        'created_at', NEW.created_at, 'updated_at', NEW.updated_at,
        'created_by', NEW.created_by, 'updated_by', NEW.updated_by
      ),
      '$.erased_rows', json_object(
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
        ),
        'webhook_attempts', (
          SELECT count(*) FROM webhook_deliveries d JOIN webhook_attempts a ON a.delivery_id = d.id
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
  UPDATE events SET before = NULL, reason = NULL, detail = NULL, after = json_set(
    json_object(
      'id', customer_id, 'external_id', customer_id, 'name', NULL, 'email', NULL, 'contact', NULL, 'timezone', 'UTC',
      'address', json_object('line1', NULL, 'line2', NULL, 'city', NULL, 'state', NULL, 'postal_code', NULL, 'country', NULL),
      'parent_id', NULL, 'metadata', json('{}'), 'integrations', json('[]'), 'profile', json('{}')
    ),
    '$.status', after ->> '$.status', '$.archived_at', after ->> '$.archived_at', '$.version', version,
    '$.stamps', json(after -> '$.stamps')
  )
  WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id AND id <> NEW.change_id;
  DELETE FROM customer_aliases
  WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id;
  DELETE FROM integration_mappings
  WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id
    AND (provider, entity_id) IN (SELECT value ->> '$.provider', value ->> '$.id' FROM json_each(OLD.integrations));
  -- The key stays used, with a fingerprint that no request has: a late repeat of the request that created this customer must
  -- not create it again.
  UPDATE idempotency_records SET fingerprint = '', customer_id = NULL, change_id = NULL, effect = NULL, failure = NULL
  WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id;
  -- The response of a receiver may repeat what was sent to it.
  UPDATE webhook_attempts SET answer = NULL WHERE delivery_id IN (
    SELECT id FROM webhook_deliveries WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id
  );
  -- A workflow that is under way finds its run gone, and stops.
  DELETE FROM onboarding_runs
  WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id;
  UPDATE customer_counts SET count = count - 1
  WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND status = iif(OLD.archived_at IS NOT NULL, 'archived', OLD.status);
  -- A minute later: by then KV shows every change everywhere, and every read that was under way is over.
  INSERT INTO erasures (tenant_id, mode, customer_id, due_at)
  VALUES (NEW.tenant_id, NEW.mode, NEW.id, NEW.erased_at + 60000);
END;
