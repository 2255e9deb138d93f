-- Safe repeats at the operator's door, which it is named for, and of webhooks and onboarding: what a POST with an
-- Idempotency-Key answered. Written in the batch of the change itself, so that an answer that is kept and a change that was
-- made are one fact, and only one of two requests at once is made: the primary key refuses the other. Read by a repeat; a day
-- later the sweep takes it away. The answer may hold an API key or a secret in clear, so it is sealed with a key made from the
-- caller's idempotency key and from the operator's admin key or a signing secret of the deployment, none of which is stored.
-- WITHOUT ROWID, as in 0000: the row is its own index.
CREATE TABLE `admin_idempotency_records` (
  `key` text PRIMARY KEY NOT NULL,
  `fingerprint` text NOT NULL,
  `tenant_id` text,
  `sealed` text NOT NULL,
  `kept_at` integer NOT NULL,
  `expires_at` integer NOT NULL
) WITHOUT ROWID;
--> statement-breakpoint
-- For the sweep.
CREATE INDEX `admin_idempotency_records_expiry` ON `admin_idempotency_records` (`expires_at`);
