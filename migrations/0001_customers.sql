-- Customers, what is derived from them, and the rules that refuse a change.
-- The rules are triggers because they must hold for every writer, and also when two writes race: a trigger runs inside the
-- transaction of the change. The message of RAISE is the name of the failure, see src/registry/errors.ts.
-- SQLite runs the triggers of one event from the newest to the oldest. When a change breaks several rules, the order of these
-- files decides which failure is reported.
CREATE TABLE customers (
  tenant_id text NOT NULL,
  mode text NOT NULL,
  id text NOT NULL,
  external_id text NOT NULL,
  name text,
  email text,
  email_ascii text,
  contact text,
  address_line1 text,
  address_line2 text,
  address_city text,
  address_state text,
  address_postal_code text,
  address_country text,
  timezone text NOT NULL,
  parent_id text,
  metadata text NOT NULL,
  integrations text NOT NULL,
  profile text NOT NULL,
  status text NOT NULL,
  archived_at integer,
  erased_at integer,
  merged_into text,
  version integer NOT NULL,
  created_at integer NOT NULL,
  updated_at integer NOT NULL,
  created_by text NOT NULL,
  updated_by text NOT NULL,
  change_id text NOT NULL,
  change_request_id text,
  change_reason text,
  change_onboarding text,
  change_detail text,
  folded text DEFAULT '{}' NOT NULL,
  archive_key text,
  PRIMARY KEY (tenant_id, mode, id),
  FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON UPDATE no action ON DELETE no action,
  CONSTRAINT customers_id CHECK (length(id) = 31 AND id = 'cust_' || upper(substr(id, 6))),
  CONSTRAINT customers_mode CHECK (mode IN ('live', 'test')),
  CONSTRAINT customers_status CHECK (status IN ('published', 'draft')),
  CONSTRAINT customers_external_id_length CHECK (length(external_id) BETWEEN 1 AND 255),
  CONSTRAINT customers_not_own_parent CHECK (parent_id IS NULL OR parent_id <> id)
) WITHOUT ROWID;
--> statement-breakpoint
-- An archived customer gives up its external id, so another one may take it. In this index the value comes first, which finds it in
-- one tenant and in all of them.
CREATE UNIQUE INDEX customers_external_id ON customers (external_id, tenant_id, mode) WHERE archived_at IS NULL;
--> statement-breakpoint
-- The next four give the lists of a tenant their order, so they have every customer, with or without the value.
CREATE INDEX customers_external_id_order ON customers (tenant_id, mode, external_id);
--> statement-breakpoint
-- An address is found by any spelling of its domain. email_ascii is set only if the domain has other characters.
CREATE INDEX customers_email_order ON customers (tenant_id, mode, coalesce(email_ascii, email, '') COLLATE NOCASE);
--> statement-breakpoint
CREATE INDEX customers_name_order ON customers (tenant_id, mode, coalesce(name, ''));
--> statement-breakpoint
CREATE INDEX customers_updated_order ON customers (tenant_id, mode, updated_at);
--> statement-breakpoint
CREATE INDEX customers_parent ON customers (tenant_id, mode, parent_id) WHERE parent_id IS NOT NULL;
--> statement-breakpoint
-- Finds the customers that were merged into another one.
CREATE INDEX customers_merged ON customers (tenant_id, mode, merged_into) WHERE merged_into IS NOT NULL;
--> statement-breakpoint
CREATE TABLE customer_aliases (
  tenant_id text NOT NULL,
  mode text NOT NULL,
  external_id text NOT NULL,
  customer_id text NOT NULL,
  merged_from text,
  PRIMARY KEY (tenant_id, mode, external_id)
) WITHOUT ROWID;
--> statement-breakpoint
-- Finds the aliases of a customer that is archived or erased, to delete them.
CREATE INDEX customer_aliases_customer ON customer_aliases (tenant_id, mode, customer_id);
--> statement-breakpoint
-- The key makes an entity of a provider belong to at most one customer that is not archived.
CREATE TABLE integration_mappings (
  tenant_id text NOT NULL,
  mode text NOT NULL,
  provider text NOT NULL,
  entity_id text NOT NULL,
  customer_id text NOT NULL,
  PRIMARY KEY (tenant_id, mode, provider, entity_id)
) WITHOUT ROWID;
--> statement-breakpoint
-- A merge, and what it gave the other customer with what that one had before. An unmerge needs it, and deletes it.
CREATE TABLE customer_merges (
  tenant_id text NOT NULL,
  mode text NOT NULL,
  source_id text NOT NULL,
  survivor_id text NOT NULL,
  change_id text NOT NULL,
  merged_at integer NOT NULL,
  given text NOT NULL,
  PRIMARY KEY (tenant_id, mode, source_id)
) WITHOUT ROWID;
--> statement-breakpoint
-- The sweep deletes those that are too old to be taken back.
CREATE INDEX customer_merges_age ON customer_merges (merged_at);
--> statement-breakpoint
-- A list shows its total without counting the customers.
CREATE TABLE customer_counts (
  tenant_id text NOT NULL,
  mode text NOT NULL,
  status text NOT NULL,
  count integer NOT NULL,
  PRIMARY KEY (tenant_id, mode, status)
) WITHOUT ROWID;
--> statement-breakpoint
-- The bytes of the customers and events of a tenant and mode, about as D1 stores them: their texts, and for the other columns and
-- the indexes 1,300 bytes for a customer and 500 for an event. A tenant at the limit in tenants.storage_bytes changes nothing but by
-- archiving and erasing, so that it cannot fill the database of all.
CREATE TABLE storage_use (
  tenant_id text NOT NULL,
  mode text NOT NULL,
  bytes integer NOT NULL,
  PRIMARY KEY (tenant_id, mode)
) WITHOUT ROWID;
--> statement-breakpoint
-- A parent exists and is not archived, and no chain of parents has more than 10 customers.
-- This trigger and the next read by key only. CROSS JOIN keeps the order of the tables, the index to the children is named, and
-- the way up does not ask for parent_id IS NOT NULL. Otherwise SQLite would start with every customer of the tenant.
-- An archived customer, which an import may bring, may have an archived parent, and counts in no chain.
-- There is no foreign key to the parent: to delete the customers of a tenant SQLite would look for the children of each among
-- all, and it would write the row anew for another parent.
CREATE TRIGGER customers_parent_insert BEFORE INSERT ON customers
WHEN NOT EXISTS (SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)
  AND NEW.parent_id IS NOT NULL
BEGIN
  SELECT RAISE(ABORT, 'parent_not_found') WHERE NOT EXISTS (
    SELECT 1 FROM customers p
    WHERE p.tenant_id = NEW.tenant_id AND p.mode = NEW.mode AND p.id = NEW.parent_id
      AND (p.archived_at IS NULL OR NEW.archived_at IS NOT NULL)
  );
  SELECT RAISE(ABORT, 'parent_too_deep') WHERE NEW.archived_at IS NULL AND (
      WITH RECURSIVE up(id, level) AS (
        SELECT NEW.parent_id, 1
        UNION ALL
        SELECT c.parent_id, up.level + 1 FROM up CROSS JOIN customers c
          ON c.tenant_id = NEW.tenant_id AND c.mode = NEW.mode AND c.id = up.id
        WHERE up.level <= 10
      ) SELECT max(level) FROM up WHERE id IS NOT NULL
    ) + 1 > 10;
END;
--> statement-breakpoint
-- The same for a customer that gets another parent or is restored. It may have children, so it must also not be below one of
-- them, and the chain is counted in both directions. The way down looks at 1,000 customers, archived ones too, and refuses a
-- customer that has more: the chains below it would not be known.
CREATE TRIGGER customers_parent_update BEFORE UPDATE OF parent_id, archived_at ON customers
WHEN NOT EXISTS (SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)
  AND NEW.parent_id IS NOT NULL AND NEW.archived_at IS NULL
  AND (NEW.parent_id IS NOT OLD.parent_id OR OLD.archived_at IS NOT NULL)
BEGIN
  SELECT RAISE(ABORT, 'parent_not_found') WHERE NOT EXISTS (
    SELECT 1 FROM customers p
    WHERE p.tenant_id = NEW.tenant_id AND p.mode = NEW.mode AND p.id = NEW.parent_id AND p.archived_at IS NULL
  );
  SELECT RAISE(ABORT, 'parent_cycle') WHERE NEW.id IN (
      WITH RECURSIVE up(id, level) AS (
        SELECT NEW.parent_id, 1
        UNION ALL
        SELECT c.parent_id, up.level + 1 FROM up CROSS JOIN customers c
          ON c.tenant_id = NEW.tenant_id AND c.mode = NEW.mode AND c.id = up.id
        WHERE up.level <= 10
      ) SELECT id FROM up WHERE id IS NOT NULL
    );
  SELECT RAISE(ABORT, 'too_many_descendants') WHERE (
      WITH RECURSIVE down(id, level, archived) AS (
        SELECT NEW.id, 0, NULL
        UNION ALL
        SELECT c.id, down.level + 1, c.archived_at FROM down CROSS JOIN customers c INDEXED BY customers_parent
          ON c.tenant_id = NEW.tenant_id AND c.mode = NEW.mode AND c.parent_id = down.id
        WHERE down.archived IS NULL AND down.level <= 10
        LIMIT 1002
      ) SELECT count(*) FROM down
    ) > 1001;
  SELECT RAISE(ABORT, 'parent_too_deep') WHERE (
      WITH RECURSIVE up(id, level) AS (
        SELECT NEW.parent_id, 1
        UNION ALL
        SELECT c.parent_id, up.level + 1 FROM up CROSS JOIN customers c
          ON c.tenant_id = NEW.tenant_id AND c.mode = NEW.mode AND c.id = up.id
        WHERE up.level <= 10
      ) SELECT max(level) FROM up WHERE id IS NOT NULL
    ) + 1 + (
      WITH RECURSIVE down(id, level, archived) AS (
        SELECT NEW.id, 0, NULL
        UNION ALL
        SELECT c.id, down.level + 1, c.archived_at FROM down CROSS JOIN customers c INDEXED BY customers_parent
          ON c.tenant_id = NEW.tenant_id AND c.mode = NEW.mode AND c.parent_id = down.id
        WHERE down.archived IS NULL AND down.level <= 10
        LIMIT 1002
      ) SELECT max(level) FROM down WHERE archived IS NULL
    ) > 10;
END;
--> statement-breakpoint
-- A customer with children is not archived. A merge moves them afterwards, in the same transaction.
CREATE TRIGGER customers_children BEFORE UPDATE OF archived_at ON customers
WHEN NOT EXISTS (SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)
  AND NEW.archived_at IS NOT NULL AND OLD.archived_at IS NULL AND NEW.merged_into IS NULL
BEGIN
  SELECT RAISE(ABORT, 'has_children') WHERE EXISTS (
    SELECT 1 FROM customers c INDEXED BY customers_parent
    WHERE c.tenant_id = NEW.tenant_id AND c.mode = NEW.mode AND c.parent_id = NEW.id AND c.archived_at IS NULL
  );
END;
--> statement-breakpoint
-- The request of a merge patch does not show how many keys the result has.
CREATE TRIGGER customers_metadata BEFORE UPDATE OF metadata ON customers
WHEN NEW.metadata IS NOT OLD.metadata
BEGIN
  SELECT RAISE(ABORT, 'metadata_too_many_keys') WHERE (SELECT count(*) FROM json_each(NEW.metadata)) > 50;
END;
--> statement-breakpoint
-- A customer has at most 64 KB in all its fields. Each field has a bound of its own, but together those would allow 900 KB.
CREATE TRIGGER customers_size_insert BEFORE INSERT ON customers
WHEN octet_length(concat_ws(
  '', NEW.external_id, NEW.name, NEW.email, NEW.contact, NEW.address_line1, NEW.address_line2, NEW.address_city, NEW.address_state,
  NEW.address_postal_code, NEW.address_country, NEW.timezone, NEW.metadata, NEW.integrations, NEW.profile
)) > 65536
BEGIN
  SELECT RAISE(ABORT, 'customer_too_large');
END;
--> statement-breakpoint
CREATE TRIGGER customers_size_update BEFORE UPDATE ON customers
WHEN octet_length(concat_ws(
  '', NEW.external_id, NEW.name, NEW.email, NEW.contact, NEW.address_line1, NEW.address_line2, NEW.address_city, NEW.address_state,
  NEW.address_postal_code, NEW.address_country, NEW.timezone, NEW.metadata, NEW.integrations, NEW.profile
)) > 65536
BEGIN
  SELECT RAISE(ABORT, 'customer_too_large');
END;
