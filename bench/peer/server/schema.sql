-- Customers of the server that Roster is compared with, the events of each change, and what is to be delivered.
CREATE TABLE tenants (
  id uuid PRIMARY KEY,
  status text NOT NULL,
  tier text NOT NULL,
  requests_per_second integer NOT NULL,
  burst integer NOT NULL
);
CREATE TABLE api_keys (
  id text PRIMARY KEY,
  tenant_id uuid NOT NULL REFERENCES tenants,
  mode text NOT NULL,
  secret_hash text NOT NULL UNIQUE,
  scopes text[] NOT NULL
);
CREATE TABLE customers (
  tenant_id uuid NOT NULL REFERENCES tenants,
  mode text NOT NULL,
  id text NOT NULL,
  external_id text NOT NULL CHECK (length(external_id) BETWEEN 1 AND 255),
  name text,
  email text,
  contact text,
  address_line1 text,
  address_line2 text,
  address_city text,
  address_state text,
  address_postal_code text,
  address_country text,
  timezone text NOT NULL DEFAULT 'UTC',
  parent_id text,
  metadata jsonb NOT NULL DEFAULT '{}',
  status text NOT NULL DEFAULT 'published',
  archived_at timestamptz,
  version integer NOT NULL DEFAULT 1,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  created_by text NOT NULL,
  updated_by text NOT NULL,
  PRIMARY KEY (tenant_id, mode, id)
);
CREATE UNIQUE INDEX customers_external_id ON customers (tenant_id, mode, external_id) WHERE archived_at IS NULL;
CREATE INDEX customers_email ON customers (tenant_id, mode, lower(email));
CREATE INDEX customers_name ON customers (tenant_id, mode, name);
CREATE INDEX customers_updated ON customers (tenant_id, mode, updated_at);
CREATE INDEX customers_parent ON customers (tenant_id, mode, parent_id) WHERE parent_id IS NOT NULL;
-- The words that a search finds a customer by, from their beginnings.
CREATE FUNCTION words(name text, email text, external_id text, id text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT array_to_tsvector(regexp_split_to_array(trim(lower(
    coalesce(name, '') || ' ' || coalesce(email, '') || ' ' || coalesce(split_part(email, '@', 2), '') || ' ' || external_id || ' ' || id
  )), '\s+'))
$$;
CREATE INDEX customers_words ON customers USING gin (words(name, email, external_id, id));
-- The total of a list. In slots, so that creations at once do not wait for the lock of one row.
CREATE TABLE customer_counts (
  tenant_id uuid NOT NULL,
  mode text NOT NULL,
  slot integer NOT NULL,
  count bigint NOT NULL,
  PRIMARY KEY (tenant_id, mode, slot)
) WITH (fillfactor = 50);
CREATE TABLE events (
  id text PRIMARY KEY,
  tenant_id uuid NOT NULL,
  mode text NOT NULL,
  customer_id text NOT NULL,
  type text NOT NULL,
  version integer NOT NULL,
  actor text NOT NULL,
  request_id text,
  before jsonb,
  after jsonb NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX events_customer ON events (tenant_id, mode, customer_id, id);
CREATE TABLE endpoints (
  id text PRIMARY KEY,
  tenant_id uuid NOT NULL,
  mode text NOT NULL,
  types text[] NOT NULL
);
CREATE INDEX endpoints_tenant ON endpoints (tenant_id, mode);
CREATE TABLE outbox (
  event_id text NOT NULL,
  endpoint_id text NOT NULL,
  due_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (event_id, endpoint_id)
);
