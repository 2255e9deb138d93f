-- Safe repeats: the response to a POST with an Idempotency-Key, kept for a day. The record is written in the batch of the change
-- itself, so there is never one without the other.
-- A record of a change of a customer names the change, whose event holds the customer as it then was, or holds the failure.
-- A record of operators, webhooks and onboarding holds the response in the column sealed: it may contain an API key or a secret, so it is
-- encrypted with a key that is not stored.
-- The columns tenant_id and mode are empty for operators.
CREATE TABLE idempotency_records (
  tenant_id text NOT NULL,
  mode text NOT NULL,
  key text NOT NULL,
  fingerprint text NOT NULL,
  customer_id text,
  change_id text,
  effect text,
  failure text,
  sealed text,
  expires_at integer NOT NULL,
  PRIMARY KEY (tenant_id, mode, key)
) WITHOUT ROWID;
--> statement-breakpoint
-- The sweep deletes what has expired. Without the index it would read every record to find it.
CREATE INDEX idempotency_records_expiry ON idempotency_records (expires_at);
--> statement-breakpoint
-- An erasure clears the records of its customer.
CREATE INDEX idempotency_records_customer ON idempotency_records (tenant_id, mode, customer_id) WHERE customer_id IS NOT NULL;
