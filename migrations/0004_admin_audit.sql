-- What operators did to tenants and their keys: written by `storage/tenants.ts` in the batch of the change, read by
-- GET /admin/audit together with `events`, which is the same for customers. Kept for two years. No index but the key: rows are
-- few, and ids lie in the order of time.
CREATE TABLE `admin_audit` (
  `id` text PRIMARY KEY NOT NULL,
  `type` text NOT NULL,
  `tenant_id` text NOT NULL,
  `key_id` text,
  `actor` text NOT NULL,
  `request_id` text,
  `reason` text,
  `before` text,
  `after` text,
  `created_at` integer NOT NULL
) WITHOUT ROWID;
