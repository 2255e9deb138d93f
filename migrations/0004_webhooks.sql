-- Webhooks. The table of deliveries is the outbox: a trigger writes one delivery for each endpoint that wants an event, in the
-- transaction of the change. So no committed change goes unsent, and a change that failed is not sent.
-- The queue only signals that there is work. When a message is lost, the sweep finds the work here.
-- A tenant without endpoints pays for no row.
CREATE TABLE webhook_endpoints (
  tenant_id text NOT NULL,
  mode text NOT NULL,
  id text NOT NULL,
  url text NOT NULL,
  description text NOT NULL,
  event_types text,
  enabled integer NOT NULL,
  disabled_reason text,
  secrets text NOT NULL,
  sealed_by text NOT NULL,
  failing_since integer,
  created_at integer NOT NULL,
  updated_at integer NOT NULL,
  created_by text NOT NULL,
  version integer NOT NULL,
  PRIMARY KEY (tenant_id, mode, id)
) WITHOUT ROWID;
--> statement-breakpoint
-- Finds the endpoints whose secrets are sealed by an older key. Written only when an endpoint is made or sealed anew.
CREATE INDEX webhook_endpoints_sealed ON webhook_endpoints (sealed_by);
--> statement-breakpoint
-- This table has a rowid: its ids rise in the order of commits, and the events of a customer are sent in that order.
CREATE TABLE webhook_deliveries (
  id integer PRIMARY KEY NOT NULL,
  tenant_id text NOT NULL,
  mode text NOT NULL,
  endpoint_id text NOT NULL,
  event_id text NOT NULL,
  event_type text NOT NULL,
  customer_id text NOT NULL,
  status text NOT NULL,
  claims integer NOT NULL,
  next_attempt_at integer NOT NULL,
  created_at integer NOT NULL,
  finished_at integer,
  awaits_retry integer DEFAULT false NOT NULL,
  slot text,
  CONSTRAINT webhook_deliveries_status CHECK (status IN ('pending', 'delivered', 'failed'))
);
--> statement-breakpoint
-- Finds the oldest pending delivery of a customer to an endpoint, which is sent first, and all deliveries of a customer.
CREATE INDEX webhook_deliveries_chain ON webhook_deliveries (tenant_id, mode, customer_id, endpoint_id, status, id);
--> statement-breakpoint
-- Finds the deliveries that are due, for the sweep.
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (next_attempt_at) WHERE status = 'pending';
--> statement-breakpoint
-- Lists the deliveries of an endpoint, and shows whether an event was sent before it is sent again.
CREATE INDEX webhook_deliveries_endpoint ON webhook_deliveries (endpoint_id, event_id);
--> statement-breakpoint
-- Finds the deliveries of an endpoint that wait for their next attempt, to make it now. Only a failed attempt costs a row of it.
CREATE INDEX webhook_deliveries_retry ON webhook_deliveries (endpoint_id, next_attempt_at) WHERE awaits_retry = 1;
--> statement-breakpoint
-- Counts the deliveries of a tenant that are attempted now, and finds those that wait for their turn, oldest first.
CREATE INDEX webhook_deliveries_slot ON webhook_deliveries (tenant_id, mode, slot, endpoint_id, next_attempt_at) WHERE slot IS NOT NULL;
--> statement-breakpoint
CREATE TABLE webhook_attempts (
  delivery_id integer NOT NULL,
  number integer NOT NULL,
  at integer NOT NULL,
  duration_ms integer NOT NULL,
  status_code integer,
  error text,
  answer text,
  PRIMARY KEY (delivery_id, number)
) WITHOUT ROWID;
--> statement-breakpoint
-- Only the first pending delivery of a customer is due. The others wait with the largest date there is, and get their turn when
-- the one before is done. So while an endpoint fails for days, the sweep reads one row a customer, however often it changes.
CREATE TRIGGER events_fan_out AFTER INSERT ON events
WHEN NOT EXISTS (SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)
BEGIN
  INSERT INTO webhook_deliveries
    (tenant_id, mode, endpoint_id, event_id, event_type, customer_id, status, claims, next_attempt_at, created_at)
  SELECT NEW.tenant_id, NEW.mode, e.id, NEW.id, NEW.type, NEW.customer_id, 'pending', 0, iif(EXISTS (
    SELECT 1 FROM webhook_deliveries d WHERE d.tenant_id = NEW.tenant_id AND d.mode = NEW.mode
      AND d.customer_id = NEW.customer_id AND d.endpoint_id = e.id AND d.status = 'pending'
  ), 8640000000000000, now.ms), now.ms
  FROM webhook_endpoints e CROSS JOIN (SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER) AS ms) now
  WHERE e.tenant_id = NEW.tenant_id AND e.mode = NEW.mode AND e.enabled = 1
    AND (e.event_types IS NULL OR NEW.type IN (SELECT value FROM json_each(e.event_types)));
END;
--> statement-breakpoint
-- Each endpoint adds rows to every change.
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
