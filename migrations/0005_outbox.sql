-- Who is told of a change, and the onboarding of a new customer. The outbox is the work itself: a trigger writes one delivery
-- for each endpoint that wants the event, and the run of a workflow, in the transaction of the change. What is committed is
-- to be done, what is not committed is nowhere, and a tenant without endpoints and workflows pays no row for either.
-- A queue only says that there is something to do; when it says nothing the sweep finds it here.
CREATE TABLE `webhook_endpoints` (
  `tenant_id` text NOT NULL,
  `mode` text NOT NULL,
  `id` text NOT NULL,
  `url` text NOT NULL,
  `description` text NOT NULL,
  `event_types` text,
  `enabled` integer NOT NULL,
  `disabled_reason` text,
  `secrets` text NOT NULL,
  `failing_since` integer,
  `created_at` integer NOT NULL,
  `updated_at` integer NOT NULL,
  `created_by` text NOT NULL,
  PRIMARY KEY(`tenant_id`, `mode`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
-- With a rowid, unlike the others: ids that rise in the order of commits are the order in which a customer's events are sent.
CREATE TABLE `webhook_deliveries` (
  `id` integer PRIMARY KEY NOT NULL,
  `tenant_id` text NOT NULL,
  `mode` text NOT NULL,
  `endpoint_id` text NOT NULL,
  `event_id` text NOT NULL,
  `customer_id` text NOT NULL,
  `status` text NOT NULL,
  `claims` integer NOT NULL,
  `next_attempt_at` integer NOT NULL,
  `created_at` integer NOT NULL,
  `finished_at` integer,
  CONSTRAINT "webhook_deliveries_status" CHECK("webhook_deliveries"."status" IN ('pending', 'delivered', 'failed'))
);
--> statement-breakpoint
-- The oldest pending delivery of a customer to an endpoint: no later one is sent before it. And all of a customer, to erase.
CREATE INDEX `webhook_deliveries_chain` ON `webhook_deliveries` (`tenant_id`,`mode`,`customer_id`,`endpoint_id`,`status`,`id`);
--> statement-breakpoint
-- For the sweep.
CREATE INDEX `webhook_deliveries_due` ON `webhook_deliveries` (`next_attempt_at`) WHERE status = 'pending';
--> statement-breakpoint
-- To show them, newest first; and whether an event has been sent, before it is sent again.
CREATE INDEX `webhook_deliveries_endpoint` ON `webhook_deliveries` (`endpoint_id`,`event_id`);
--> statement-breakpoint
CREATE TABLE `webhook_attempts` (
  `delivery_id` integer NOT NULL,
  `number` integer NOT NULL,
  `at` integer NOT NULL,
  `duration_ms` integer NOT NULL,
  `status_code` integer,
  `error` text,
  `answer` text,
  PRIMARY KEY(`delivery_id`, `number`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `settings` (
  `tenant_id` text NOT NULL,
  `mode` text NOT NULL,
  `name` text NOT NULL,
  `value` text NOT NULL,
  `secrets` text NOT NULL,
  `version` integer NOT NULL,
  `updated_at` integer NOT NULL,
  `updated_by` text NOT NULL,
  PRIMARY KEY(`tenant_id`, `mode`, `name`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `onboarding_runs` (
  `tenant_id` text NOT NULL,
  `mode` text NOT NULL,
  `customer_id` text NOT NULL,
  `workflow` text NOT NULL,
  `steps` text NOT NULL,
  `progress` text NOT NULL,
  `status` text NOT NULL,
  `due_at` integer NOT NULL,
  `created_at` integer NOT NULL,
  `finished_at` integer,
  PRIMARY KEY(`tenant_id`, `mode`, `customer_id`),
  CONSTRAINT "onboarding_runs_status" CHECK("onboarding_runs"."status" IN ('pending', 'running', 'completed', 'failed'))
) WITHOUT ROWID;
--> statement-breakpoint
-- For the sweep: those to be started, to be looked at, to be taken away.
CREATE INDEX `onboarding_runs_due` ON `onboarding_runs` (`status`,`due_at`);
--> statement-breakpoint
ALTER TABLE `customers` ADD `change_onboarding` text;
--> statement-breakpoint
ALTER TABLE `events` ADD `detail` text;
--> statement-breakpoint
-- Only the first of a customer is due. Those behind it are when it is done: the sweep looks at what is due, and while an
-- endpoint fails for days that stays one row a customer, however often the customer changes.
CREATE TRIGGER events_fan_out AFTER INSERT ON events
BEGIN
  INSERT INTO webhook_deliveries
    (tenant_id, mode, endpoint_id, event_id, customer_id, status, claims, next_attempt_at, created_at)
  SELECT NEW.tenant_id, NEW.mode, e.id, NEW.id, NEW.customer_id, 'pending', 0, iif(EXISTS (
    SELECT 1 FROM webhook_deliveries d WHERE d.tenant_id = NEW.tenant_id AND d.mode = NEW.mode
      AND d.customer_id = NEW.customer_id AND d.endpoint_id = e.id AND d.status = 'pending'
  ), 8640000000000000, now.ms), now.ms
  FROM webhook_endpoints e CROSS JOIN (SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS ms) now
  WHERE e.tenant_id = NEW.tenant_id AND e.mode = NEW.mode AND e.enabled = 1
    AND (e.event_types IS NULL OR NEW.type IN (SELECT value FROM json_each(e.event_types)));
END;
--> statement-breakpoint
-- Each endpoint is some rows more for every change.
CREATE TRIGGER webhook_endpoints_max BEFORE INSERT ON webhook_endpoints
BEGIN
  SELECT RAISE(ABORT, 'too_many_endpoints') WHERE (
    SELECT count(*) FROM webhook_endpoints WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode
  ) >= 20;
END;
--> statement-breakpoint
CREATE TRIGGER webhook_deliveries_deleted AFTER DELETE ON webhook_deliveries
BEGIN
  DELETE FROM webhook_attempts WHERE delivery_id = OLD.id;
END;
--> statement-breakpoint
-- The workflow that was named must be there; without a name it is the default one, if there is one. Empty: none.
CREATE TRIGGER customers_onboarding AFTER INSERT ON customers
WHEN NEW.change_onboarding IS NOT ''
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
--> statement-breakpoint
-- As in 0003, and with what receivers answered and the onboarding.
DROP TRIGGER customers_erased;
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
    ), NEW.updated_at
  );
  -- The log still tells when something was done, and by whom; no longer what, nor why, in words that may name a person.
  UPDATE events SET before = NULL, reason = NULL, detail = NULL, after = json_object(
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
  -- What receivers answered may repeat what they were sent. A run that is under way finds that it is none any more.
  UPDATE webhook_attempts SET answer = NULL WHERE delivery_id IN (
    SELECT id FROM webhook_deliveries WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id
  );
  DELETE FROM onboarding_runs
  WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id;
  UPDATE customer_counts SET count = count - 1
  WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode
    AND status = CASE WHEN OLD.archived_at IS NOT NULL THEN 'archived' ELSE OLD.status END;
  -- A minute: KV tells the world of a change within it, and no read is under way for so long.
  INSERT INTO erasures (tenant_id, mode, customer_id, due_at)
  VALUES (NEW.tenant_id, NEW.mode, NEW.id, NEW.erased_at + 60000);
END;
