-- Safe repeats: what a POST with an Idempotency-Key answered. Written by the gate in the batch of the change itself, so that
-- an answer that is kept and a change that was made are one fact; read by the next batch that brings the same key; a day
-- later the sweep takes it away. A success is kept as the id of its change, whose event has the customer as it then was.
-- WITHOUT ROWID, as in 0000: the row is its own index.
CREATE TABLE `idempotency_records` (
  `tenant_id` text NOT NULL,
  `mode` text NOT NULL,
  `key` text NOT NULL,
  `fingerprint` text NOT NULL,
  `customer_id` text,
  `change_id` text,
  `effect` text,
  `failure` text,
  `expires_at` integer NOT NULL,
  PRIMARY KEY(`tenant_id`, `mode`, `key`)
) WITHOUT ROWID;
--> statement-breakpoint
-- For the sweep, which would otherwise read all that is kept to find what is not.
CREATE INDEX `idempotency_records_expiry` ON `idempotency_records` (`expires_at`);
