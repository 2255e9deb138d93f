-- The registry: tenants and their keys, customers, and what keeps customers honest.
-- Generated from src/storage/tables.ts, then owned by hand: every table whose key is text is WITHOUT ROWID, so that a
-- row is written once (a rowid table would write its hidden index too) and customers lie in the order of their ids,
-- which is the order of their creation. src/storage/README.md tells who writes and reads each table.
CREATE TABLE `api_keys` (
  `tenant_id` text NOT NULL,
  `id` text NOT NULL,
  `mode` text NOT NULL,
  `name` text NOT NULL,
  `secret_hash` text NOT NULL,
  `scopes` text NOT NULL,
  `created_at` integer NOT NULL,
  `expires_at` integer,
  `revoked_at` integer,
  `rotated_from` text,
  PRIMARY KEY(`tenant_id`, `id`),
  FOREIGN KEY (`tenant_id`) REFERENCES `tenants`(`id`) ON UPDATE no action ON DELETE no action,
  CONSTRAINT "api_keys_mode" CHECK("api_keys"."mode" IN ('live', 'test'))
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `customer_aliases` (
  `tenant_id` text NOT NULL,
  `mode` text NOT NULL,
  `external_id` text NOT NULL,
  `customer_id` text NOT NULL,
  PRIMARY KEY(`tenant_id`, `mode`, `external_id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `customer_aliases_customer` ON `customer_aliases` (`tenant_id`,`mode`,`customer_id`);--> statement-breakpoint
CREATE TABLE `customer_counts` (
  `tenant_id` text NOT NULL,
  `mode` text NOT NULL,
  `status` text NOT NULL,
  `count` integer NOT NULL,
  PRIMARY KEY(`tenant_id`, `mode`, `status`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `customers` (
  `tenant_id` text NOT NULL,
  `mode` text NOT NULL,
  `id` text NOT NULL,
  `external_id` text NOT NULL,
  `name` text,
  `email` text,
  `contact` text,
  `address_line1` text,
  `address_line2` text,
  `address_city` text,
  `address_state` text,
  `address_postal_code` text,
  `address_country` text,
  `timezone` text NOT NULL,
  `parent_id` text,
  `metadata` text NOT NULL,
  `integrations` text NOT NULL,
  `profile` text NOT NULL,
  `status` text NOT NULL,
  `archived_at` integer,
  `version` integer NOT NULL,
  `created_at` integer NOT NULL,
  `updated_at` integer NOT NULL,
  `created_by` text NOT NULL,
  `updated_by` text NOT NULL,
  `change_id` text NOT NULL,
  `change_request_id` text,
  `change_reason` text,
  PRIMARY KEY(`tenant_id`, `mode`, `id`),
  FOREIGN KEY (`tenant_id`) REFERENCES `tenants`(`id`) ON UPDATE no action ON DELETE no action,
  FOREIGN KEY (`tenant_id`,`mode`,`parent_id`) REFERENCES `customers`(`tenant_id`,`mode`,`id`) ON UPDATE no action ON DELETE no action,
  CONSTRAINT "customers_mode" CHECK("customers"."mode" IN ('live', 'test')),
  CONSTRAINT "customers_status" CHECK("customers"."status" IN ('published', 'draft')),
  CONSTRAINT "customers_external_id_length" CHECK(length("customers"."external_id") BETWEEN 1 AND 255),
  CONSTRAINT "customers_not_own_parent" CHECK("customers"."parent_id" IS NULL OR "customers"."parent_id" <> "customers"."id")
) WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX `customers_external_id` ON `customers` (`tenant_id`,`mode`,`external_id`) WHERE archived_at IS NULL;--> statement-breakpoint
CREATE INDEX `customers_email` ON `customers` (`tenant_id`,`mode`,email COLLATE NOCASE) WHERE email IS NOT NULL;--> statement-breakpoint
CREATE INDEX `customers_parent` ON `customers` (`tenant_id`,`mode`,`parent_id`) WHERE parent_id IS NOT NULL;--> statement-breakpoint
CREATE TABLE `events` (
  `tenant_id` text NOT NULL,
  `mode` text NOT NULL,
  `id` text NOT NULL,
  `type` text NOT NULL,
  `customer_id` text NOT NULL,
  `version` integer NOT NULL,
  `actor` text NOT NULL,
  `request_id` text,
  `reason` text,
  `before` text,
  `after` text NOT NULL,
  `created_at` integer NOT NULL,
  PRIMARY KEY(`tenant_id`, `mode`, `id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `integration_mappings` (
  `tenant_id` text NOT NULL,
  `mode` text NOT NULL,
  `provider` text NOT NULL,
  `entity_id` text NOT NULL,
  `customer_id` text NOT NULL,
  PRIMARY KEY(`tenant_id`, `mode`, `provider`, `entity_id`)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `tenants` (
  `id` text PRIMARY KEY NOT NULL,
  `company_name` text NOT NULL,
  `contact_email` text NOT NULL,
  `tier` text NOT NULL,
  `status` text NOT NULL,
  `requests_per_second` integer NOT NULL,
  `burst` integer NOT NULL,
  `annual_commitment` integer NOT NULL,
  `annual_validation_limit` integer NOT NULL,
  `contract_start` integer,
  `contract_end` integer,
  `metadata` text NOT NULL,
  `created_at` integer NOT NULL,
  `updated_at` integer NOT NULL,
  `policy_version` integer NOT NULL,
  `policy_applied_version` integer DEFAULT 0 NOT NULL,
  CONSTRAINT "tenants_tier" CHECK("tenants"."tier" IN ('starter', 'growth', 'scale', 'enterprise', 'custom')),
  CONSTRAINT "tenants_status" CHECK("tenants"."status" IN ('active', 'suspended')),
  CONSTRAINT "tenants_limits" CHECK("tenants"."requests_per_second" > 0 AND "tenants"."burst" > 0),
  CONSTRAINT "tenants_contract" CHECK("tenants"."contract_end" IS NULL OR "tenants"."contract_start" IS NULL OR "tenants"."contract_end" >= "tenants"."contract_start")
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX `tenants_policy_unapplied` ON `tenants` (`id`) WHERE policy_applied_version < policy_version;
