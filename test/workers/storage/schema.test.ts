import { env } from 'cloudflare:workers'
import { getTableColumns, getTableName } from 'drizzle-orm'
import type { SQLiteTable } from 'drizzle-orm/sqlite-core'
import { describe, expect, it } from 'vitest'
import * as operatorTables from '../../../src/storage/schema/operator-tables.ts'
import * as ownTables from '../../../src/storage/schema/tables.ts'
import * as tenantTables from '../../../src/storage/schema/tenant-tables.ts'
import * as outboxTables from '../../../src/storage/schema/webhook-tables.ts'

const tables = { ...ownTables, ...tenantTables, ...outboxTables, ...operatorTables }

/** Returns the schema of the migrations without quoting and spacing, in which tools differ, in lines that a diff can show. */
async function schema(type: 'table' | 'index' | 'trigger'): Promise<string> {
  const { results } = await env.DB.prepare(
    `SELECT sql FROM sqlite_master WHERE type = ? AND sql IS NOT NULL AND name NOT LIKE 'sqlite%'
       AND name NOT LIKE '\\_cf%' ESCAPE '\\' AND name <> 'd1_migrations' ORDER BY name`,
  )
    .bind(type)
    .all<{ sql: string }>()
  return results.map(({ sql }) => lines(sql)).join('\n')
}

function lines(sql: string): string {
  const plain = sql
    .replaceAll(/--.*/g, '')
    .replaceAll(/[`"]/g, '')
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/ ?([(),]) ?/g, '$1')
  if (!plain.startsWith('CREATE TABLE')) return plain.replaceAll(/(; |BEGIN )/g, '$1\n  ').replaceAll(/ +\n/g, '\n')
  let depth = 0
  const broken = Array.from(plain, (char) => {
    if (char === '(') depth++
    if (char === ')') depth--
    return (char === ',' && depth === 1) || (char === '(' && depth === 1) ? `${char}\n  ` : char
  })
  return broken.join('')
}

describe('the schema that the migrations make', () => {
  it('has these tables', async () => {
    expect(await schema('table')).toMatchInlineSnapshot(`
      "CREATE TABLE admin_audit(
        id text PRIMARY KEY NOT NULL,
        type text NOT NULL,
        tenant_id text NOT NULL,
        key_id text,
        actor text NOT NULL,
        request_id text,
        reason text,
        before text,
        after text,
        created_at integer NOT NULL,
        operator_id text,
        role text,
        session_id text)WITHOUT ROWID
      CREATE TABLE api_keys(
        tenant_id text NOT NULL,
        id text NOT NULL,
        mode text NOT NULL,
        name text NOT NULL,
        secret_hash text NOT NULL,
        scopes text NOT NULL,
        created_at integer NOT NULL,
        expires_at integer,
        revoked_at integer,
        rotated_from text,
        PRIMARY KEY(tenant_id,id),
        FOREIGN KEY(tenant_id)REFERENCES tenants(id)ON UPDATE no action ON DELETE no action,
        CONSTRAINT api_keys_mode CHECK(mode IN('live','test')))WITHOUT ROWID
      CREATE TABLE archive_objects(
        tenant_id text NOT NULL,
        mode text NOT NULL,
        last_id text NOT NULL,
        first_id text NOT NULL,
        name text NOT NULL,
        events integer NOT NULL,
        bytes integer NOT NULL,
        first_at integer NOT NULL,
        last_at integer NOT NULL,
        customers text NOT NULL,
        PRIMARY KEY(tenant_id,mode,last_id))
      CREATE TABLE archive_totals(
        id integer PRIMARY KEY NOT NULL,
        objects integer NOT NULL,
        events integer NOT NULL,
        bytes integer NOT NULL,
        CONSTRAINT archive_totals_one_row CHECK(id = 1))
      CREATE TABLE arriving_tenants(
        tenant_id text PRIMARY KEY NOT NULL,
        move_id text NOT NULL,
        state text NOT NULL,
        position text NOT NULL)WITHOUT ROWID
      CREATE TABLE customer_aliases(
        tenant_id text NOT NULL,
        mode text NOT NULL,
        external_id text NOT NULL,
        customer_id text NOT NULL,
        merged_from text,
        PRIMARY KEY(tenant_id,mode,external_id))WITHOUT ROWID
      CREATE TABLE customer_counts(
        tenant_id text NOT NULL,
        mode text NOT NULL,
        status text NOT NULL,
        count integer NOT NULL,
        PRIMARY KEY(tenant_id,mode,status))WITHOUT ROWID
      CREATE TABLE customer_merges(
        tenant_id text NOT NULL,
        mode text NOT NULL,
        source_id text NOT NULL,
        survivor_id text NOT NULL,
        change_id text NOT NULL,
        merged_at integer NOT NULL,
        given text NOT NULL,
        PRIMARY KEY(tenant_id,mode,source_id))WITHOUT ROWID
      CREATE TABLE customer_places(
        id text NOT NULL,
        scope integer NOT NULL,
        number integer NOT NULL,
        PRIMARY KEY(id,scope))WITHOUT ROWID
      CREATE VIRTUAL TABLE customer_search USING fts5(tokens,detail=column,columnsize=0,prefix='7 8 9 10 11 12 13 14',tokenize=ascii tokenchars '!#$%&()*+,-./:;<=>?@[]^_{|}~')
      CREATE TABLE 'customer_search_config'(
        k PRIMARY KEY,
        v)WITHOUT ROWID
      CREATE TABLE 'customer_search_content'(
        id INTEGER PRIMARY KEY,
        c0)
      CREATE TABLE 'customer_search_data'(
        id INTEGER PRIMARY KEY,
        block BLOB)
      CREATE TABLE 'customer_search_idx'(
        segid,
        term,
        pgno,
        PRIMARY KEY(segid,term))WITHOUT ROWID
      CREATE VIRTUAL TABLE customer_search_words USING fts5vocab(customer_search,instance)
      CREATE TABLE customer_stays(
        tenant_id text NOT NULL,
        mode text NOT NULL,
        host_id text NOT NULL,
        customer_id text NOT NULL,
        above_version integer NOT NULL,
        until_version integer,
        since integer NOT NULL,
        until_at integer,
        PRIMARY KEY(tenant_id,mode,host_id,customer_id,above_version))WITHOUT ROWID
      CREATE TABLE customers(
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
        PRIMARY KEY(tenant_id,mode,id),
        FOREIGN KEY(tenant_id)REFERENCES tenants(id)ON UPDATE no action ON DELETE no action,
        CONSTRAINT customers_id CHECK(length(id)= 31 AND id = 'cust_' || upper(substr(id,6))),
        CONSTRAINT customers_mode CHECK(mode IN('live','test')),
        CONSTRAINT customers_status CHECK(status IN('published','draft')),
        CONSTRAINT customers_external_id_length CHECK(length(external_id)BETWEEN 1 AND 255),
        CONSTRAINT customers_not_own_parent CHECK(parent_id IS NULL OR parent_id <> id))WITHOUT ROWID
      CREATE TABLE deployment(
        id integer PRIMARY KEY NOT NULL,
        data_epoch integer NOT NULL,
        operators_version integer DEFAULT 0 NOT NULL,
        operators_copied_version integer DEFAULT 0 NOT NULL,
        CONSTRAINT deployment_one_row CHECK(id = 1))
      CREATE TABLE erasures(
        tenant_id text NOT NULL,
        mode text NOT NULL,
        customer_id text NOT NULL,
        kv_keys text,
        due_at integer NOT NULL,
        PRIMARY KEY(tenant_id,mode,customer_id))WITHOUT ROWID
      CREATE TABLE error_counts(
        minute integer NOT NULL,
        api text NOT NULL,
        status integer NOT NULL,
        count integer NOT NULL,
        PRIMARY KEY(minute,api,status))WITHOUT ROWID
      CREATE TABLE events(
        tenant_id text NOT NULL,
        mode text NOT NULL,
        id text NOT NULL,
        type text NOT NULL,
        customer_id text NOT NULL,
        version integer NOT NULL,
        actor text NOT NULL,
        request_id text,
        reason text,
        before text,
        after text NOT NULL,
        detail text,
        created_at integer NOT NULL,
        deliveries integer DEFAULT 0 NOT NULL,
        PRIMARY KEY(tenant_id,mode,id))
      CREATE TABLE former_external_ids(
        tenant_id text NOT NULL,
        mode text NOT NULL,
        external_id text NOT NULL,
        left_at integer NOT NULL,
        customer_id text NOT NULL,
        PRIMARY KEY(tenant_id,mode,external_id,left_at,customer_id))WITHOUT ROWID
      CREATE TABLE idempotency_records(
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
        PRIMARY KEY(tenant_id,mode,key))WITHOUT ROWID
      CREATE TABLE integration_mappings(
        tenant_id text NOT NULL,
        mode text NOT NULL,
        provider text NOT NULL,
        entity_id text NOT NULL,
        customer_id text NOT NULL,
        PRIMARY KEY(tenant_id,mode,provider,entity_id))WITHOUT ROWID
      CREATE TABLE leaving_tenants(
        tenant_id text PRIMARY KEY NOT NULL,
        move_id text NOT NULL,
        state text NOT NULL,
        changes integer DEFAULT 0 NOT NULL)WITHOUT ROWID
      CREATE TABLE moves(
        tenant_id text PRIMARY KEY NOT NULL,
        id text NOT NULL,
        from_database integer NOT NULL,
        to_database integer NOT NULL,
        state text NOT NULL,
        copied integer DEFAULT 0 NOT NULL,
        copied_again integer DEFAULT 0 NOT NULL,
        problem text,
        actor text NOT NULL,
        created_at integer NOT NULL,
        updated_at integer NOT NULL,
        frozen_at integer,
        flipped_at integer,
        ended_at integer,
        claimed_until integer DEFAULT 0 NOT NULL)WITHOUT ROWID
      CREATE TABLE moving_changes(
        tenant_id text NOT NULL,
        number integer NOT NULL,
        of_table text NOT NULL,
        row_key text NOT NULL,
        PRIMARY KEY(tenant_id,number))WITHOUT ROWID
      CREATE TABLE onboarding_runs(
        tenant_id text NOT NULL,
        mode text NOT NULL,
        customer_id text NOT NULL,
        workflow text NOT NULL,
        steps text NOT NULL,
        progress text NOT NULL,
        status text NOT NULL,
        due_at integer NOT NULL,
        created_at integer NOT NULL,
        finished_at integer,
        PRIMARY KEY(tenant_id,mode,customer_id),
        CONSTRAINT onboarding_runs_status CHECK(status IN('pending','running','completed','failed')))WITHOUT ROWID
      CREATE TABLE operator_changes(
        tenant_id text NOT NULL,
        mode text NOT NULL,
        event_id text NOT NULL,
        role text NOT NULL,
        session_id text,
        PRIMARY KEY(tenant_id,mode,event_id))WITHOUT ROWID
      CREATE TABLE operator_keys(
        id text PRIMARY KEY NOT NULL,
        operator_id text NOT NULL,
        name text NOT NULL,
        secret_hash text NOT NULL,
        created_at integer NOT NULL,
        expires_at integer,
        last_used_at integer,
        FOREIGN KEY(operator_id)REFERENCES operators(id)ON UPDATE no action ON DELETE no action)WITHOUT ROWID
      CREATE TABLE operator_sessions(
        id text PRIMARY KEY NOT NULL,
        operator_id text,
        key_id text,
        admin_actor text,
        admin_key_seal text,
        secret_hash text NOT NULL,
        created_at integer NOT NULL,
        expires_at integer NOT NULL,
        FOREIGN KEY(operator_id)REFERENCES operators(id)ON UPDATE no action ON DELETE no action,
        CONSTRAINT operator_sessions_owner CHECK((operator_id IS NULL)=(admin_actor IS NOT NULL)))WITHOUT ROWID
      CREATE TABLE operators(
        id text PRIMARY KEY NOT NULL,
        name text NOT NULL,
        email text NOT NULL,
        role text NOT NULL,
        last_seen_at integer,
        created_at integer NOT NULL,
        updated_at integer NOT NULL,
        version integer NOT NULL,
        CONSTRAINT operators_role CHECK(role IN('viewer','support','admin','owner')))WITHOUT ROWID
      CREATE TABLE search_merges(
        id integer PRIMARY KEY NOT NULL,
        owed integer NOT NULL,
        begun integer NOT NULL,
        done integer NOT NULL,
        begun_at integer NOT NULL,
        CONSTRAINT search_merges_one_row CHECK(id = 1))
      CREATE TABLE search_scopes(
        tenant_id text PRIMARY KEY NOT NULL,
        number integer NOT NULL,
        FOREIGN KEY(tenant_id)REFERENCES tenants(id)ON UPDATE no action ON DELETE no action,
        CONSTRAINT search_scopes_number CHECK(number BETWEEN 1 AND 1048575))WITHOUT ROWID
      CREATE TABLE settings(
        tenant_id text NOT NULL,
        mode text NOT NULL,
        name text NOT NULL,
        value text NOT NULL,
        secrets text NOT NULL,
        sealed_by text NOT NULL,
        version integer NOT NULL,
        updated_at integer NOT NULL,
        updated_by text NOT NULL,
        PRIMARY KEY(tenant_id,mode,name))WITHOUT ROWID
      CREATE TABLE sign_in_links(
        id text PRIMARY KEY NOT NULL,
        operator_id text NOT NULL,
        secret_hash text NOT NULL,
        created_at integer NOT NULL,
        expires_at integer NOT NULL,
        FOREIGN KEY(operator_id)REFERENCES operators(id)ON UPDATE no action ON DELETE no action)WITHOUT ROWID
      CREATE TABLE storage_use(
        tenant_id text NOT NULL,
        mode text NOT NULL,
        bytes integer NOT NULL,
        PRIMARY KEY(tenant_id,mode))WITHOUT ROWID
      CREATE TABLE sweeps(
        name text PRIMARY KEY NOT NULL,
        position text NOT NULL)WITHOUT ROWID
      CREATE TABLE tenants(
        id text PRIMARY KEY NOT NULL,
        company_name text NOT NULL,
        contact_email text NOT NULL,
        tier text NOT NULL,
        status text NOT NULL,
        requests_per_second integer NOT NULL,
        burst integer NOT NULL,
        annual_commitment integer NOT NULL,
        annual_validation_limit integer NOT NULL,
        storage_bytes integer NOT NULL,
        contract_start integer,
        contract_end integer,
        metadata text NOT NULL,
        created_at integer NOT NULL,
        updated_at integer NOT NULL,
        version integer NOT NULL,
        policy_version integer NOT NULL,
        policy_applied_version integer DEFAULT 0 NOT NULL,
        folded text DEFAULT '{}' NOT NULL,
        deleted_at integer,
        database_number integer DEFAULT 0 NOT NULL,
        event_retention_days integer DEFAULT 400 NOT NULL,
        CONSTRAINT tenants_tier CHECK(tier IN('starter','growth','scale','enterprise','custom')),
        CONSTRAINT tenants_status CHECK(status IN('active','suspended')),
        CONSTRAINT tenants_limits CHECK(requests_per_second > 0 AND burst > 0),
        CONSTRAINT tenants_contract CHECK(contract_end IS NULL OR contract_start IS NULL OR contract_end >= contract_start))WITHOUT ROWID
      CREATE TABLE webhook_attempts(
        delivery_id integer NOT NULL,
        number integer NOT NULL,
        at integer NOT NULL,
        duration_ms integer NOT NULL,
        status_code integer,
        error text,
        answer text,
        PRIMARY KEY(delivery_id,number))WITHOUT ROWID
      CREATE TABLE webhook_deliveries(
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
        CONSTRAINT webhook_deliveries_status CHECK(status IN('pending','delivered','failed')))
      CREATE TABLE webhook_endpoints(
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
        PRIMARY KEY(tenant_id,mode,id))WITHOUT ROWID"
    `)
  })

  it('has these indexes and no other: each is a paid row for every write that changes it', async () => {
    expect(await schema('index')).toMatchInlineSnapshot(`
      "CREATE INDEX admin_audit_tenant ON admin_audit(tenant_id,id)
      CREATE INDEX archive_objects_ends ON archive_objects(last_id,first_id)
      CREATE INDEX customer_aliases_customer ON customer_aliases(tenant_id,mode,customer_id)
      CREATE INDEX customer_merges_age ON customer_merges(merged_at)
      CREATE INDEX customer_stays_customer ON customer_stays(tenant_id,mode,customer_id)
      CREATE INDEX customers_email_order ON customers(tenant_id,mode,coalesce(email_ascii,email,'')COLLATE NOCASE)
      CREATE UNIQUE INDEX customers_external_id ON customers(external_id,tenant_id,mode)WHERE archived_at IS NULL
      CREATE INDEX customers_external_id_order ON customers(tenant_id,mode,external_id)
      CREATE INDEX customers_merged ON customers(tenant_id,mode,merged_into)WHERE merged_into IS NOT NULL
      CREATE INDEX customers_name_order ON customers(tenant_id,mode,coalesce(name,''))
      CREATE INDEX customers_parent ON customers(tenant_id,mode,parent_id)WHERE parent_id IS NOT NULL
      CREATE INDEX customers_updated_order ON customers(tenant_id,mode,updated_at)
      CREATE INDEX events_customer ON events(customer_id,tenant_id,mode,id)
      CREATE INDEX events_customer_version ON events(customer_id,tenant_id,mode,version)
      CREATE INDEX events_left_external_id ON events(coalesce(before ->> '$.external_id',after ->> '$.external_id'),tenant_id,mode,created_at)WHERE type = 'customer.archived' OR(type = 'customer.updated' AND before ->> '$.external_id' IS NOT NULL AND after ->> '$.archived_at' IS NULL)
      CREATE INDEX former_external_ids_customer ON former_external_ids(tenant_id,mode,customer_id)
      CREATE INDEX idempotency_records_customer ON idempotency_records(tenant_id,mode,customer_id)WHERE customer_id IS NOT NULL
      CREATE INDEX idempotency_records_expiry ON idempotency_records(expires_at)
      CREATE INDEX moves_under_way ON moves(tenant_id)WHERE ended_at IS NULL
      CREATE INDEX onboarding_runs_due ON onboarding_runs(status,due_at)
      CREATE INDEX operator_keys_operator ON operator_keys(operator_id)
      CREATE INDEX operator_sessions_operator ON operator_sessions(operator_id)
      CREATE UNIQUE INDEX operators_email ON operators(email COLLATE NOCASE)
      CREATE UNIQUE INDEX search_scopes_code ON search_scopes(printf('%05x',number))
      CREATE UNIQUE INDEX search_scopes_number ON search_scopes(number)
      CREATE INDEX settings_sealed ON settings(sealed_by)
      CREATE INDEX sign_in_links_operator ON sign_in_links(operator_id)
      CREATE INDEX tenants_contact_email ON tenants(contact_email COLLATE NOCASE)
      CREATE INDEX tenants_deleted ON tenants(id)WHERE deleted_at IS NOT NULL
      CREATE INDEX tenants_policy_unapplied ON tenants(id)WHERE policy_applied_version < policy_version
      CREATE INDEX webhook_deliveries_chain ON webhook_deliveries(tenant_id,mode,customer_id,endpoint_id,status,id)
      CREATE INDEX webhook_deliveries_due ON webhook_deliveries(next_attempt_at)WHERE status = 'pending'
      CREATE INDEX webhook_deliveries_endpoint ON webhook_deliveries(endpoint_id,event_id)
      CREATE INDEX webhook_deliveries_retry ON webhook_deliveries(endpoint_id,next_attempt_at)WHERE awaits_retry = 1
      CREATE INDEX webhook_deliveries_slot ON webhook_deliveries(tenant_id,mode,slot,endpoint_id,next_attempt_at)WHERE slot IS NOT NULL
      CREATE INDEX webhook_endpoints_failing ON webhook_endpoints(failing_since)WHERE failing_since IS NOT NULL AND enabled = 1
      CREATE INDEX webhook_endpoints_sealed ON webhook_endpoints(sealed_by)"
    `)
  })

  it('has these triggers', async () => {
    expect(await schema('trigger')).toMatchInlineSnapshot(`
      "CREATE TRIGGER admin_audit_in_force BEFORE INSERT ON admin_audit WHEN((NEW.type NOT GLOB 'webhook.*' AND NEW.type NOT GLOB 'onboarding.*')OR NOT EXISTS(SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id))AND((NEW.session_id IS NOT NULL AND NOT EXISTS(SELECT 1 FROM operator_sessions s WHERE s.id = NEW.session_id))OR(NEW.actor GLOB 'op_*' AND NEW.role IS NOT NULL AND NOT EXISTS(SELECT 1 FROM operators o WHERE o.id = NEW.actor AND instr('viewer support admin owner',o.role)>= instr('viewer support admin owner',NEW.role))))BEGIN
        SELECT RAISE(ABORT,'operator_not_in_force');
        END
      CREATE TRIGGER api_keys_max BEFORE INSERT ON api_keys WHEN(SELECT count(*)FROM api_keys WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND revoked_at IS NULL AND(expires_at IS NULL OR expires_at > NEW.created_at))>= iif(NEW.rotated_from IS NULL,1000,2000)BEGIN
        SELECT RAISE(ABORT,'too_many_keys');
        END
      CREATE TRIGGER archive_objects_counted AFTER INSERT ON archive_objects BEGIN
        UPDATE archive_totals SET objects = objects + 1,events = events + NEW.events,bytes = bytes + NEW.bytes;
        END
      CREATE TRIGGER archive_objects_deleted AFTER DELETE ON archive_objects BEGIN
        UPDATE archive_totals SET objects = objects - 1,events = events - OLD.events,bytes = bytes - OLD.bytes;
        END
      CREATE TRIGGER customer_merges_changed AFTER UPDATE OF given ON customer_merges WHEN NOT EXISTS(SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)BEGIN
        UPDATE storage_use SET bytes = bytes + octet_length(NEW.given)- octet_length(OLD.given)WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode;
        END
      CREATE TRIGGER customer_merges_counted AFTER INSERT ON customer_merges WHEN NOT EXISTS(SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)BEGIN
        UPDATE storage_use SET bytes = bytes + octet_length(NEW.given)WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode;
        END
      CREATE TRIGGER customer_merges_deleted AFTER DELETE ON customer_merges WHEN NOT EXISTS(SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = OLD.tenant_id)BEGIN
        UPDATE storage_use SET bytes = bytes - octet_length(OLD.given)WHERE tenant_id = OLD.tenant_id AND mode = OLD.mode;
        END
      CREATE TRIGGER customer_stays_erased INSTEAD OF INSERT ON erased_stays BEGIN
        UPDATE storage_use SET bytes = bytes - coalesce((SELECT sum(octet_length(concat_ws('',e.before,e.after,e.detail,e.reason)))FROM events e INDEXED BY events_customer_version WHERE e.customer_id = NEW.host_id AND e.tenant_id = NEW.tenant_id AND e.mode = NEW.mode AND e.version > NEW.above_version AND e.version <= NEW.until_version AND e.created_at >= NEW.since),0)WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode;
        UPDATE events SET before = NULL,reason = NULL,detail = NULL,after = json_remove(json_object('external_id',customer_id,'status',after ->> '$.status','archived_at',after ->> '$.archived_at','stamps',json(after -> '$.stamps')),iif(after ->> '$.status' IS NULL,'$.status','$.x'),iif(after ->> '$.archived_at' IS NULL,'$.archived_at','$.x'))WHERE rowid IN(SELECT e.rowid FROM events e INDEXED BY events_customer_version WHERE e.customer_id = NEW.host_id AND e.tenant_id = NEW.tenant_id AND e.mode = NEW.mode AND e.version > NEW.above_version AND e.version <= NEW.until_version AND e.created_at >= NEW.since);
        UPDATE storage_use SET bytes = bytes + coalesce((SELECT sum(octet_length(concat_ws('',e.before,e.after,e.detail,e.reason)))FROM events e INDEXED BY events_customer_version WHERE e.customer_id = NEW.host_id AND e.tenant_id = NEW.tenant_id AND e.mode = NEW.mode AND e.version > NEW.above_version AND e.version <= NEW.until_version AND e.created_at >= NEW.since),0)WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode;
        UPDATE idempotency_records SET fingerprint = '',customer_id = NULL,change_id = NULL,effect = NULL,failure = NULL WHERE(tenant_id,mode,key)IN(SELECT r.tenant_id,r.mode,r.key FROM idempotency_records r INDEXED BY idempotency_records_customer WHERE r.tenant_id = NEW.tenant_id AND r.mode = NEW.mode AND r.customer_id = NEW.host_id AND(r.failure IS NOT NULL OR r.change_id IN(SELECT e.id FROM events e INDEXED BY events_customer_version WHERE e.customer_id = NEW.host_id AND e.tenant_id = NEW.tenant_id AND e.mode = NEW.mode AND e.version > NEW.above_version AND e.version <= NEW.until_version AND e.created_at >= NEW.since)));
        UPDATE webhook_attempts SET answer = NULL WHERE delivery_id IN(SELECT d.id FROM webhook_deliveries d INDEXED BY webhook_deliveries_chain WHERE d.tenant_id = NEW.tenant_id AND d.mode = NEW.mode AND d.customer_id = NEW.host_id AND d.event_id IN(SELECT e.id FROM events e INDEXED BY events_customer_version WHERE e.customer_id = NEW.host_id AND e.tenant_id = NEW.tenant_id AND e.mode = NEW.mode AND e.version > NEW.above_version AND e.version <= NEW.until_version AND e.created_at >= NEW.since));
        UPDATE customers SET change_detail = NULL WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND id = NEW.host_id AND change_detail IS NOT NULL;
        INSERT INTO erasures(tenant_id,mode,customer_id,due_at)SELECT NEW.tenant_id,NEW.mode,NEW.host_id,NEW.erased_at + 60000 WHERE true ON CONFLICT(tenant_id,mode,customer_id)DO NOTHING;
        END
      CREATE TRIGGER customers_changed AFTER UPDATE ON customers WHEN NOT EXISTS(SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)AND NEW.erased_at IS NULL AND NEW.merged_into IS NULL AND OLD.merged_into IS NULL AND NEW.change_id <> OLD.change_id BEGIN
        DELETE FROM customer_aliases WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND external_id = NEW.external_id AND NEW.archived_at IS NULL AND(NEW.external_id <> OLD.external_id OR OLD.archived_at IS NOT NULL);
        INSERT INTO customer_aliases(tenant_id,mode,external_id,customer_id)SELECT NEW.tenant_id,NEW.mode,OLD.external_id,NEW.id WHERE NEW.external_id <> OLD.external_id AND OLD.archived_at IS NULL ON CONFLICT(tenant_id,mode,external_id)DO UPDATE SET customer_id = excluded.customer_id,merged_from = NULL;
        DELETE FROM customer_aliases WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id AND NEW.archived_at IS NOT NULL AND OLD.archived_at IS NULL;
        DELETE FROM integration_mappings WHERE OLD.archived_at IS NULL AND(NEW.integrations <> OLD.integrations OR NEW.archived_at IS NOT NULL)AND tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id AND(provider,entity_id)IN(SELECT value ->> '$.provider',value ->> '$.id' FROM json_each(OLD.integrations));
        INSERT INTO integration_mappings(tenant_id,mode,provider,entity_id,customer_id)SELECT NEW.tenant_id,NEW.mode,value ->> '$.provider',value ->> '$.id',NEW.id FROM json_each(NEW.integrations)WHERE NEW.archived_at IS NULL AND(NEW.integrations <> OLD.integrations OR OLD.archived_at IS NOT NULL);
        UPDATE customer_counts SET count = count - 1 WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND status = iif(OLD.archived_at IS NOT NULL,'archived',OLD.status)AND iif(OLD.archived_at IS NOT NULL,'archived',OLD.status)<> iif(NEW.archived_at IS NOT NULL,'archived',NEW.status);
        INSERT INTO customer_counts(tenant_id,mode,status,count)SELECT NEW.tenant_id,NEW.mode,iif(NEW.archived_at IS NOT NULL,'archived',NEW.status),1 WHERE iif(OLD.archived_at IS NOT NULL,'archived',OLD.status)<> iif(NEW.archived_at IS NOT NULL,'archived',NEW.status)ON CONFLICT(tenant_id,mode,status)DO UPDATE SET count = count + 1;
        INSERT INTO events(tenant_id,mode,id,type,customer_id,version,actor,request_id,reason,before,after,detail,created_at,deliveries)SELECT NEW.tenant_id,NEW.mode,NEW.change_id,t.type,NEW.id,NEW.version,NEW.updated_by,NEW.change_request_id,NEW.change_reason,json_remove(json_object('external_id',OLD.external_id,'name',OLD.name,'email',OLD.email,'contact',OLD.contact,'timezone',OLD.timezone,'address',json_object('line1',OLD.address_line1,'line2',OLD.address_line2,'city',OLD.address_city,'state',OLD.address_state,'postal_code',OLD.address_postal_code,'country',OLD.address_country),'parent_id',OLD.parent_id,'metadata',json(OLD.metadata),'integrations',json(OLD.integrations),'profile',json(OLD.profile),'status',OLD.status,'archived_at',OLD.archived_at,'stamps',json_object('created_at',OLD.created_at,'created_by',OLD.created_by,'updated_at',OLD.updated_at,'updated_by',OLD.updated_by),'version',OLD.version),iif(OLD.external_id IS NEW.external_id,'$.external_id','$.x'),iif(OLD.name IS NEW.name,'$.name','$.x'),iif(OLD.email IS NEW.email,'$.email','$.x'),iif(OLD.contact IS NEW.contact,'$.contact','$.x'),iif(OLD.timezone IS NEW.timezone,'$.timezone','$.x'),iif(OLD.address_line1 IS NEW.address_line1,'$.address.line1','$.x'),iif(OLD.address_line2 IS NEW.address_line2,'$.address.line2','$.x'),iif(OLD.address_city IS NEW.address_city,'$.address.city','$.x'),iif(OLD.address_state IS NEW.address_state,'$.address.state','$.x'),iif(OLD.address_postal_code IS NEW.address_postal_code,'$.address.postal_code','$.x'),iif(OLD.address_country IS NEW.address_country,'$.address.country','$.x'),iif(OLD.parent_id IS NEW.parent_id,'$.parent_id','$.x'),iif(OLD.metadata IS NEW.metadata,'$.metadata','$.x'),iif(OLD.integrations IS NEW.integrations,'$.integrations','$.x'),iif(OLD.profile IS NEW.profile,'$.profile','$.x'),iif(OLD.status IS NEW.status,'$.status','$.x'),iif(OLD.archived_at IS NEW.archived_at,'$.archived_at','$.x'),iif(OLD.created_at IS NEW.created_at,'$.stamps.created_at','$.x'),iif(OLD.created_by IS NEW.created_by,'$.stamps.created_by','$.x'),iif(OLD.version = NEW.version - 1,'$.version','$.x'),iif(OLD.updated_at IS NEW.updated_at,'$.stamps.updated_at','$.x'),iif(OLD.updated_by IS NEW.updated_by,'$.stamps.updated_by','$.x'),iif(OLD.address_line1 IS NEW.address_line1 AND OLD.address_line2 IS NEW.address_line2 AND OLD.address_city IS NEW.address_city AND OLD.address_state IS NEW.address_state AND OLD.address_postal_code IS NEW.address_postal_code AND OLD.address_country IS NEW.address_country,'$.address','$.x')),json_remove(json_object('external_id',NEW.external_id,'name',NEW.name,'email',NEW.email,'contact',NEW.contact,'timezone',NEW.timezone,'address',json_object('line1',NEW.address_line1,'line2',NEW.address_line2,'city',NEW.address_city,'state',NEW.address_state,'postal_code',NEW.address_postal_code,'country',NEW.address_country),'parent_id',NEW.parent_id,'metadata',json(NEW.metadata),'integrations',json(NEW.integrations),'profile',json(NEW.profile),'status',NEW.status,'archived_at',NEW.archived_at,'stamps',json_object('created_at',NEW.created_at,'created_by',NEW.created_by)),iif(NEW.name IS NULL,'$.name','$.x'),iif(NEW.email IS NULL,'$.email','$.x'),iif(NEW.contact IS NULL,'$.contact','$.x'),iif(NEW.timezone = 'UTC','$.timezone','$.x'),iif(NEW.address_line1 IS NULL,'$.address.line1','$.x'),iif(NEW.address_line2 IS NULL,'$.address.line2','$.x'),iif(NEW.address_city IS NULL,'$.address.city','$.x'),iif(NEW.address_state IS NULL,'$.address.state','$.x'),iif(NEW.address_postal_code IS NULL,'$.address.postal_code','$.x'),iif(NEW.address_country IS NULL,'$.address.country','$.x'),iif(NEW.parent_id IS NULL,'$.parent_id','$.x'),iif(NEW.metadata = '{}','$.metadata','$.x'),iif(NEW.integrations = '[]','$.integrations','$.x'),iif(NEW.profile = '{}','$.profile','$.x'),iif(NEW.status = 'published','$.status','$.x'),iif(NEW.archived_at IS NULL,'$.archived_at','$.x'),iif(NEW.created_at = NEW.updated_at,'$.stamps.created_at','$.x'),iif(NEW.created_by = NEW.updated_by,'$.stamps.created_by','$.x'),iif(NEW.address_line1 IS NULL AND NEW.address_line2 IS NULL AND NEW.address_city IS NULL AND NEW.address_state IS NULL AND NEW.address_postal_code IS NULL AND NEW.address_country IS NULL,'$.address','$.x')),iif(NEW.change_detail ->> '$.change_id' = NEW.change_id,NEW.change_detail -> '$.detail',NULL),NEW.updated_at,(SELECT count(*)FROM webhook_endpoints e WHERE e.tenant_id = NEW.tenant_id AND e.mode = NEW.mode AND e.enabled = 1 AND(e.event_types IS NULL OR t.type IN(SELECT value FROM json_each(e.event_types))))FROM(SELECT iif(NEW.change_detail ->> '$.change_id' = NEW.change_id,NEW.change_detail ->> '$.type',iif(NEW.archived_at IS NOT NULL AND OLD.archived_at IS NULL,'customer.archived',iif(NEW.archived_at IS NULL AND OLD.archived_at IS NOT NULL,'customer.restored','customer.updated')))AS type)t;
        INSERT INTO storage_use(tenant_id,mode,bytes)SELECT NEW.tenant_id,NEW.mode,1300 + octet_length(concat_ws('',NEW.external_id,NEW.name,NEW.email,NEW.email_ascii,NEW.contact,NEW.address_line1,NEW.address_line2,NEW.address_city,NEW.address_state,NEW.address_postal_code,NEW.address_country,NEW.timezone,NEW.metadata,NEW.integrations,NEW.profile,NEW.folded))-(1300 + octet_length(concat_ws('',OLD.external_id,OLD.name,OLD.email,OLD.email_ascii,OLD.contact,OLD.address_line1,OLD.address_line2,OLD.address_city,OLD.address_state,OLD.address_postal_code,OLD.address_country,OLD.timezone,OLD.metadata,OLD.integrations,OLD.profile,OLD.folded)))+ 500 + octet_length(concat_ws('',e.before,e.after,e.detail,e.reason))+ 1000 * e.deliveries FROM events e WHERE e.tenant_id = NEW.tenant_id AND e.mode = NEW.mode AND e.id = NEW.change_id ON CONFLICT(tenant_id,mode)DO UPDATE SET bytes = bytes + excluded.bytes;
        SELECT RAISE(ABORT,'storage_used_up')FROM storage_use u CROSS JOIN tenants t ON t.id = u.tenant_id WHERE u.tenant_id = NEW.tenant_id AND u.mode = NEW.mode AND u.bytes > iif(u.mode = 'test',50000000,t.storage_bytes)AND NOT(NEW.archived_at IS NOT NULL AND OLD.archived_at IS NULL);
        END
      CREATE TRIGGER customers_children BEFORE UPDATE OF archived_at ON customers WHEN NOT EXISTS(SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)AND NEW.archived_at IS NOT NULL AND OLD.archived_at IS NULL AND NEW.merged_into IS NULL BEGIN
        SELECT RAISE(ABORT,'has_children')WHERE EXISTS(SELECT 1 FROM customers c INDEXED BY customers_parent WHERE c.tenant_id = NEW.tenant_id AND c.mode = NEW.mode AND c.parent_id = NEW.id AND c.archived_at IS NULL);
        END
      CREATE TRIGGER customers_created AFTER INSERT ON customers WHEN NOT EXISTS(SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)BEGIN
        DELETE FROM customer_aliases WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND external_id = NEW.external_id AND NEW.archived_at IS NULL;
        INSERT INTO integration_mappings(tenant_id,mode,provider,entity_id,customer_id)SELECT NEW.tenant_id,NEW.mode,value ->> '$.provider',value ->> '$.id',NEW.id FROM json_each(NEW.integrations)WHERE NEW.archived_at IS NULL;
        INSERT INTO customer_counts(tenant_id,mode,status,count)VALUES(NEW.tenant_id,NEW.mode,iif(NEW.archived_at IS NOT NULL,'archived',NEW.status),1)ON CONFLICT(tenant_id,mode,status)DO UPDATE SET count = count + 1;
        INSERT INTO events(tenant_id,mode,id,type,customer_id,version,actor,request_id,reason,before,after,created_at,deliveries)VALUES(NEW.tenant_id,NEW.mode,NEW.change_id,'customer.created',NEW.id,NEW.version,NEW.updated_by,NEW.change_request_id,NEW.change_reason,NULL,json_remove(json_object('external_id',NEW.external_id,'name',NEW.name,'email',NEW.email,'contact',NEW.contact,'timezone',NEW.timezone,'address',json_object('line1',NEW.address_line1,'line2',NEW.address_line2,'city',NEW.address_city,'state',NEW.address_state,'postal_code',NEW.address_postal_code,'country',NEW.address_country),'parent_id',NEW.parent_id,'metadata',json(NEW.metadata),'integrations',json(NEW.integrations),'profile',json(NEW.profile),'status',NEW.status,'archived_at',NEW.archived_at,'stamps',json_object('created_at',NEW.created_at,'created_by',NEW.created_by)),iif(NEW.name IS NULL,'$.name','$.x'),iif(NEW.email IS NULL,'$.email','$.x'),iif(NEW.contact IS NULL,'$.contact','$.x'),iif(NEW.timezone = 'UTC','$.timezone','$.x'),iif(NEW.address_line1 IS NULL,'$.address.line1','$.x'),iif(NEW.address_line2 IS NULL,'$.address.line2','$.x'),iif(NEW.address_city IS NULL,'$.address.city','$.x'),iif(NEW.address_state IS NULL,'$.address.state','$.x'),iif(NEW.address_postal_code IS NULL,'$.address.postal_code','$.x'),iif(NEW.address_country IS NULL,'$.address.country','$.x'),iif(NEW.parent_id IS NULL,'$.parent_id','$.x'),iif(NEW.metadata = '{}','$.metadata','$.x'),iif(NEW.integrations = '[]','$.integrations','$.x'),iif(NEW.profile = '{}','$.profile','$.x'),iif(NEW.status = 'published','$.status','$.x'),iif(NEW.archived_at IS NULL,'$.archived_at','$.x'),iif(NEW.created_at = NEW.updated_at,'$.stamps.created_at','$.x'),iif(NEW.created_by = NEW.updated_by,'$.stamps.created_by','$.x'),iif(NEW.address_line1 IS NULL AND NEW.address_line2 IS NULL AND NEW.address_city IS NULL AND NEW.address_state IS NULL AND NEW.address_postal_code IS NULL AND NEW.address_country IS NULL,'$.address','$.x')),NEW.updated_at,(SELECT count(*)FROM webhook_endpoints e WHERE e.tenant_id = NEW.tenant_id AND e.mode = NEW.mode AND e.enabled = 1 AND(e.event_types IS NULL OR 'customer.created' IN(SELECT value FROM json_each(e.event_types)))));
        INSERT INTO storage_use(tenant_id,mode,bytes)SELECT NEW.tenant_id,NEW.mode,1300 + octet_length(concat_ws('',NEW.external_id,NEW.name,NEW.email,NEW.email_ascii,NEW.contact,NEW.address_line1,NEW.address_line2,NEW.address_city,NEW.address_state,NEW.address_postal_code,NEW.address_country,NEW.timezone,NEW.metadata,NEW.integrations,NEW.profile,NEW.folded))+ 500 + octet_length(concat_ws('',e.before,e.after,e.detail,e.reason))+ 1000 * e.deliveries FROM events e WHERE e.tenant_id = NEW.tenant_id AND e.mode = NEW.mode AND e.id = NEW.change_id ON CONFLICT(tenant_id,mode)DO UPDATE SET bytes = bytes + excluded.bytes;
        SELECT RAISE(ABORT,'storage_used_up')FROM storage_use u CROSS JOIN tenants t ON t.id = u.tenant_id WHERE u.tenant_id = NEW.tenant_id AND u.mode = NEW.mode AND u.bytes > iif(u.mode = 'test',50000000,t.storage_bytes);
        END
      CREATE TRIGGER customers_erase_stays BEFORE UPDATE OF erased_at ON customers WHEN NOT EXISTS(SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)AND NEW.erased_at IS NOT NULL AND OLD.erased_at IS NULL AND NEW.merged_into IS NULL BEGIN
        INSERT INTO erased_stays(tenant_id,mode,customer_id,host_id,above_version,until_version,since,erased_at)WITH RECURSIVE stays(host_id,above_version,until_version,since)AS(SELECT s.host_id,s.above_version,coalesce(s.until_version,9007199254740991),s.since FROM(SELECT NEW.id AS id UNION ALL SELECT c.id FROM customers c INDEXED BY customers_merged WHERE c.tenant_id = NEW.tenant_id AND c.mode = NEW.mode AND c.merged_into = NEW.id)r CROSS JOIN customer_stays s INDEXED BY customer_stays_customer ON s.customer_id = r.id AND s.tenant_id = NEW.tenant_id AND s.mode = NEW.mode UNION SELECT s.host_id,s.above_version,coalesce(s.until_version,9007199254740991),s.since FROM stays g CROSS JOIN customer_stays s INDEXED BY customer_stays_customer ON s.customer_id = g.host_id AND s.tenant_id = NEW.tenant_id AND s.mode = NEW.mode AND coalesce(s.until_version,9007199254740991)> g.above_version AND coalesce(s.until_version,9007199254740991)<= g.until_version AND s.since >= g.since)SELECT NEW.tenant_id,NEW.mode,NEW.id,host_id,above_version,until_version,since,NEW.erased_at FROM stays WHERE host_id NOT IN(SELECT id FROM customer_remains WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND owner_id = NEW.id);
        END
      CREATE TRIGGER customers_erased AFTER UPDATE OF erased_at ON customers WHEN NOT EXISTS(SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)AND NEW.erased_at IS NOT NULL AND OLD.erased_at IS NULL AND NEW.merged_into IS NULL BEGIN
        UPDATE storage_use SET bytes = bytes -(1300 + octet_length(concat_ws('',OLD.external_id,OLD.name,OLD.email,OLD.email_ascii,OLD.contact,OLD.address_line1,OLD.address_line2,OLD.address_city,OLD.address_state,OLD.address_postal_code,OLD.address_country,OLD.timezone,OLD.metadata,OLD.integrations,OLD.profile,OLD.folded)))- coalesce((SELECT sum(500 + octet_length(concat_ws('',e.before,e.after,e.detail,e.reason))+ 1000 * e.deliveries)FROM events e INDEXED BY events_customer WHERE e.tenant_id = NEW.tenant_id AND e.mode = NEW.mode AND e.customer_id IN(SELECT id FROM customer_remains WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND owner_id = NEW.id)),0)WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode;
        INSERT INTO events(tenant_id,mode,id,type,customer_id,version,actor,request_id,reason,before,after,created_at)VALUES(NEW.tenant_id,NEW.mode,NEW.change_id,'customer.erased',NEW.id,NEW.version,NEW.updated_by,NEW.change_request_id,NEW.change_reason,NULL,json_insert(json_remove(json_object('external_id',NEW.external_id,'name',NEW.name,'email',NEW.email,'contact',NEW.contact,'timezone',NEW.timezone,'address',json_object('line1',NEW.address_line1,'line2',NEW.address_line2,'city',NEW.address_city,'state',NEW.address_state,'postal_code',NEW.address_postal_code,'country',NEW.address_country),'parent_id',NEW.parent_id,'metadata',json(NEW.metadata),'integrations',json(NEW.integrations),'profile',json(NEW.profile),'status',NEW.status,'archived_at',NEW.archived_at,'stamps',json_object('created_at',NEW.created_at,'created_by',NEW.created_by)),iif(NEW.name IS NULL,'$.name','$.x'),iif(NEW.email IS NULL,'$.email','$.x'),iif(NEW.contact IS NULL,'$.contact','$.x'),iif(NEW.timezone = 'UTC','$.timezone','$.x'),iif(NEW.address_line1 IS NULL,'$.address.line1','$.x'),iif(NEW.address_line2 IS NULL,'$.address.line2','$.x'),iif(NEW.address_city IS NULL,'$.address.city','$.x'),iif(NEW.address_state IS NULL,'$.address.state','$.x'),iif(NEW.address_postal_code IS NULL,'$.address.postal_code','$.x'),iif(NEW.address_country IS NULL,'$.address.country','$.x'),iif(NEW.parent_id IS NULL,'$.parent_id','$.x'),iif(NEW.metadata = '{}','$.metadata','$.x'),iif(NEW.integrations = '[]','$.integrations','$.x'),iif(NEW.profile = '{}','$.profile','$.x'),iif(NEW.status = 'published','$.status','$.x'),iif(NEW.archived_at IS NULL,'$.archived_at','$.x'),iif(NEW.created_at = NEW.updated_at,'$.stamps.created_at','$.x'),iif(NEW.created_by = NEW.updated_by,'$.stamps.created_by','$.x'),iif(NEW.address_line1 IS NULL AND NEW.address_line2 IS NULL AND NEW.address_city IS NULL AND NEW.address_state IS NULL AND NEW.address_postal_code IS NULL AND NEW.address_country IS NULL,'$.address','$.x')),'$.erased_rows',json_object('customers',1 +(SELECT count(*)FROM customers INDEXED BY customers_merged WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND merged_into = NEW.id),'events',(SELECT count(*)FROM events INDEXED BY events_customer WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id IN(SELECT id FROM customer_remains WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND owner_id = NEW.id)),'aliases',(SELECT count(*)FROM customer_aliases INDEXED BY customer_aliases_customer WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id),'integrations',(SELECT count(*)FROM integration_mappings WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id AND(provider,entity_id)IN(SELECT value ->> '$.provider',value ->> '$.id' FROM json_each(OLD.integrations))),'idempotency_records',(SELECT count(*)FROM idempotency_records INDEXED BY idempotency_records_customer WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id IN(SELECT id FROM customer_remains WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND owner_id = NEW.id)),'webhook_attempts',(SELECT count(*)FROM webhook_deliveries d INDEXED BY webhook_deliveries_chain CROSS JOIN webhook_attempts a ON a.delivery_id = d.id WHERE d.tenant_id = NEW.tenant_id AND d.mode = NEW.mode AND d.customer_id IN(SELECT id FROM customer_remains WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND owner_id = NEW.id)AND a.answer IS NOT NULL),'onboarding_runs',(SELECT count(*)FROM onboarding_runs WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id IN(SELECT id FROM customer_remains WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND owner_id = NEW.id)))),NEW.updated_at);
        UPDATE events SET before = NULL,reason = NULL,detail = NULL,after = json_remove(json_object('external_id',customer_id,'status',after ->> '$.status','archived_at',after ->> '$.archived_at','stamps',json(after -> '$.stamps')),iif(after ->> '$.status' IS NULL,'$.status','$.x'),iif(after ->> '$.archived_at' IS NULL,'$.archived_at','$.x'))WHERE rowid IN(SELECT rowid FROM events INDEXED BY events_customer WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id IN(SELECT id FROM customer_remains WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND owner_id = NEW.id)AND id <> NEW.change_id);
        DELETE FROM customer_aliases WHERE(tenant_id,mode,external_id)IN(SELECT tenant_id,mode,external_id FROM customer_aliases INDEXED BY customer_aliases_customer WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id);
        DELETE FROM integration_mappings WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id AND(provider,entity_id)IN(SELECT value ->> '$.provider',value ->> '$.id' FROM json_each(OLD.integrations));
        UPDATE idempotency_records SET fingerprint = '',customer_id = NULL,change_id = NULL,effect = NULL,failure = NULL WHERE(tenant_id,mode,key)IN(SELECT tenant_id,mode,key FROM idempotency_records INDEXED BY idempotency_records_customer WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id IN(SELECT id FROM customer_remains WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND owner_id = NEW.id));
        UPDATE webhook_attempts SET answer = NULL WHERE delivery_id IN(SELECT id FROM webhook_deliveries INDEXED BY webhook_deliveries_chain WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id IN(SELECT id FROM customer_remains WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND owner_id = NEW.id));
        DELETE FROM onboarding_runs WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id IN(SELECT id FROM customer_remains WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND owner_id = NEW.id);
        UPDATE customer_counts SET count = count - 1 WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND status = iif(OLD.archived_at IS NOT NULL,'archived',OLD.status);
        INSERT INTO erasures(tenant_id,mode,customer_id,due_at)SELECT NEW.tenant_id,NEW.mode,NEW.id,NEW.erased_at + 60000 UNION ALL SELECT tenant_id,mode,id,NEW.erased_at + 60000 FROM customers INDEXED BY customers_merged WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND merged_into = NEW.id ON CONFLICT(tenant_id,mode,customer_id)DO UPDATE SET due_at = excluded.due_at;
        DELETE FROM customer_merges WHERE(tenant_id,mode,source_id)IN(SELECT tenant_id,mode,id FROM customer_remains WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND owner_id = NEW.id);
        DELETE FROM former_external_ids WHERE(tenant_id,mode,external_id,left_at,customer_id)IN(SELECT f.tenant_id,f.mode,f.external_id,f.left_at,f.customer_id FROM customer_remains r CROSS JOIN former_external_ids f INDEXED BY former_external_ids_customer ON f.tenant_id = r.tenant_id AND f.mode = r.mode AND f.customer_id = r.id WHERE r.tenant_id = NEW.tenant_id AND r.mode = NEW.mode AND r.owner_id = NEW.id);
        DELETE FROM customer_stays WHERE(tenant_id,mode,host_id,customer_id,above_version)IN(SELECT s.tenant_id,s.mode,s.host_id,s.customer_id,s.above_version FROM customer_remains r CROSS JOIN customer_stays s INDEXED BY customer_stays_customer ON s.tenant_id = r.tenant_id AND s.mode = r.mode AND s.customer_id = r.id WHERE r.tenant_id = NEW.tenant_id AND r.mode = NEW.mode AND r.owner_id = NEW.id);
        INSERT INTO storage_use(tenant_id,mode,bytes)VALUES(NEW.tenant_id,NEW.mode,1300 + octet_length(concat_ws('',NEW.external_id,NEW.name,NEW.email,NEW.email_ascii,NEW.contact,NEW.address_line1,NEW.address_line2,NEW.address_city,NEW.address_state,NEW.address_postal_code,NEW.address_country,NEW.timezone,NEW.metadata,NEW.integrations,NEW.profile,NEW.folded))+ coalesce((SELECT sum(500 + octet_length(concat_ws('',e.before,e.after,e.detail,e.reason))+ 1000 * e.deliveries)FROM events e INDEXED BY events_customer WHERE e.tenant_id = NEW.tenant_id AND e.mode = NEW.mode AND e.customer_id IN(SELECT id FROM customer_remains WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND owner_id = NEW.id)),0))ON CONFLICT(tenant_id,mode)DO UPDATE SET bytes = bytes + excluded.bytes;
        END
      CREATE TRIGGER customers_merged AFTER UPDATE OF merged_into ON customers WHEN NOT EXISTS(SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)AND NEW.merged_into IS NOT NULL AND OLD.merged_into IS NULL BEGIN
        UPDATE customer_aliases SET customer_id = NEW.merged_into,merged_from = coalesce(merged_from,NEW.id)WHERE(tenant_id,mode,external_id)IN(SELECT tenant_id,mode,external_id FROM customer_aliases INDEXED BY customer_aliases_customer WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = NEW.id);
        INSERT INTO customer_aliases(tenant_id,mode,external_id,customer_id,merged_from)SELECT NEW.tenant_id,NEW.mode,NEW.external_id,NEW.merged_into,NEW.id WHERE OLD.archived_at IS NULL ON CONFLICT(tenant_id,mode,external_id)DO UPDATE SET customer_id = excluded.customer_id,merged_from = excluded.merged_from;
        DELETE FROM integration_mappings WHERE OLD.archived_at IS NULL AND tenant_id = NEW.tenant_id AND mode = NEW.mode AND(provider,entity_id)IN(SELECT value ->> '$.provider',value ->> '$.id' FROM json_each(OLD.integrations));
        UPDATE customer_counts SET count = count - 1 WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND status = iif(OLD.archived_at IS NOT NULL,'archived',OLD.status);
        END
      CREATE TRIGGER customers_merged_erased AFTER UPDATE OF erased_at ON customers WHEN NOT EXISTS(SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)AND NEW.erased_at IS NOT NULL AND OLD.erased_at IS NULL AND NEW.merged_into IS NOT NULL BEGIN
        UPDATE storage_use SET bytes = bytes + octet_length(concat_ws('',NEW.external_id,NEW.name,NEW.email,NEW.email_ascii,NEW.contact,NEW.address_line1,NEW.address_line2,NEW.address_city,NEW.address_state,NEW.address_postal_code,NEW.address_country,NEW.timezone,NEW.metadata,NEW.integrations,NEW.profile,NEW.folded))- octet_length(concat_ws('',OLD.external_id,OLD.name,OLD.email,OLD.email_ascii,OLD.contact,OLD.address_line1,OLD.address_line2,OLD.address_city,OLD.address_state,OLD.address_postal_code,OLD.address_country,OLD.timezone,OLD.metadata,OLD.integrations,OLD.profile,OLD.folded))WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode;
        END
      CREATE TRIGGER customers_metadata BEFORE UPDATE OF metadata ON customers WHEN NEW.metadata IS NOT OLD.metadata BEGIN
        SELECT RAISE(ABORT,'metadata_too_many_keys')WHERE(SELECT count(*)FROM json_each(NEW.metadata))> 50;
        END
      CREATE TRIGGER customers_onboarding AFTER INSERT ON customers WHEN NOT EXISTS(SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)AND NEW.change_onboarding IS NOT '' BEGIN
        SELECT RAISE(ABORT,'unknown_workflow')WHERE NEW.change_onboarding IS NOT NULL AND NOT EXISTS(SELECT 1 FROM settings s CROSS JOIN json_each(s.value,'$.workflows')w WHERE s.tenant_id = NEW.tenant_id AND s.mode = NEW.mode AND s.name = 'customer_onboarding' AND w.key = NEW.change_onboarding);
        INSERT INTO onboarding_runs(tenant_id,mode,customer_id,workflow,steps,progress,status,due_at,created_at)SELECT NEW.tenant_id,NEW.mode,NEW.id,w.key,w.value -> '$.steps','[]','pending',now.ms,now.ms FROM settings s CROSS JOIN json_each(s.value,'$.workflows')w CROSS JOIN(SELECT CAST(unixepoch('subsec')* 1000 AS INTEGER)AS ms)now WHERE s.tenant_id = NEW.tenant_id AND s.mode = NEW.mode AND s.name = 'customer_onboarding' AND w.key = coalesce(NEW.change_onboarding,'default');
        END
      CREATE TRIGGER customers_parent_insert BEFORE INSERT ON customers WHEN NOT EXISTS(SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)AND NEW.parent_id IS NOT NULL BEGIN
        SELECT RAISE(ABORT,'parent_not_found')WHERE NOT EXISTS(SELECT 1 FROM customers p WHERE p.tenant_id = NEW.tenant_id AND p.mode = NEW.mode AND p.id = NEW.parent_id AND(p.archived_at IS NULL OR NEW.archived_at IS NOT NULL));
        SELECT RAISE(ABORT,'parent_too_deep')WHERE NEW.archived_at IS NULL AND(WITH RECURSIVE up(id,level)AS(SELECT NEW.parent_id,1 UNION ALL SELECT c.parent_id,up.level + 1 FROM up CROSS JOIN customers c ON c.tenant_id = NEW.tenant_id AND c.mode = NEW.mode AND c.id = up.id WHERE up.level <= 10)SELECT max(level)FROM up WHERE id IS NOT NULL)+ 1 > 10;
        END
      CREATE TRIGGER customers_parent_update BEFORE UPDATE OF parent_id,archived_at ON customers WHEN NOT EXISTS(SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)AND NEW.parent_id IS NOT NULL AND NEW.archived_at IS NULL AND(NEW.parent_id IS NOT OLD.parent_id OR OLD.archived_at IS NOT NULL)BEGIN
        SELECT RAISE(ABORT,'parent_not_found')WHERE NOT EXISTS(SELECT 1 FROM customers p WHERE p.tenant_id = NEW.tenant_id AND p.mode = NEW.mode AND p.id = NEW.parent_id AND p.archived_at IS NULL);
        SELECT RAISE(ABORT,'parent_cycle')WHERE NEW.id IN(WITH RECURSIVE up(id,level)AS(SELECT NEW.parent_id,1 UNION ALL SELECT c.parent_id,up.level + 1 FROM up CROSS JOIN customers c ON c.tenant_id = NEW.tenant_id AND c.mode = NEW.mode AND c.id = up.id WHERE up.level <= 10)SELECT id FROM up WHERE id IS NOT NULL);
        SELECT RAISE(ABORT,'too_many_descendants')WHERE(WITH RECURSIVE down(id,level,archived)AS(SELECT NEW.id,0,NULL UNION ALL SELECT c.id,down.level + 1,c.archived_at FROM down CROSS JOIN customers c INDEXED BY customers_parent ON c.tenant_id = NEW.tenant_id AND c.mode = NEW.mode AND c.parent_id = down.id WHERE down.archived IS NULL AND down.level <= 10 LIMIT 1002)SELECT count(*)FROM down)> 1001;
        SELECT RAISE(ABORT,'parent_too_deep')WHERE(WITH RECURSIVE up(id,level)AS(SELECT NEW.parent_id,1 UNION ALL SELECT c.parent_id,up.level + 1 FROM up CROSS JOIN customers c ON c.tenant_id = NEW.tenant_id AND c.mode = NEW.mode AND c.id = up.id WHERE up.level <= 10)SELECT max(level)FROM up WHERE id IS NOT NULL)+ 1 +(WITH RECURSIVE down(id,level,archived)AS(SELECT NEW.id,0,NULL UNION ALL SELECT c.id,down.level + 1,c.archived_at FROM down CROSS JOIN customers c INDEXED BY customers_parent ON c.tenant_id = NEW.tenant_id AND c.mode = NEW.mode AND c.parent_id = down.id WHERE down.archived IS NULL AND down.level <= 10 LIMIT 1002)SELECT max(level)FROM down WHERE archived IS NULL)> 10;
        END
      CREATE TRIGGER customers_search_delete AFTER DELETE ON customers BEGIN
        DELETE FROM customer_search WHERE substr(tokens,-length(OLD.id))= lower(OLD.id)AND rowid =(SELECT p.number FROM search_scopes s CROSS JOIN customer_places p ON p.id = OLD.id AND p.scope = 2 * s.number +(OLD.mode = 'test')WHERE s.tenant_id = OLD.tenant_id);
        INSERT INTO search_merges(id,owed,begun,done,begun_at)VALUES(1,1,0,0,0)ON CONFLICT(id)DO UPDATE SET owed = begun + 1 WHERE owed <= begun;
        DELETE FROM customer_places WHERE id = OLD.id AND scope =(SELECT 2 * number +(OLD.mode = 'test')FROM search_scopes WHERE tenant_id = OLD.tenant_id);
        END
      CREATE TRIGGER customers_search_erase AFTER UPDATE OF erased_at ON customers WHEN NEW.erased_at IS NOT NULL AND OLD.erased_at IS NULL BEGIN
        DELETE FROM customer_search WHERE rowid =(SELECT p.number FROM search_scopes s CROSS JOIN customer_places p ON p.id = NEW.id AND p.scope = 2 * s.number +(NEW.mode = 'test')WHERE s.tenant_id = NEW.tenant_id);
        INSERT INTO search_merges(id,owed,begun,done,begun_at)VALUES(1,1,0,0,0)ON CONFLICT(id)DO UPDATE SET owed = begun + 1 WHERE owed <= begun;
        END
      CREATE TRIGGER customers_search_insert AFTER INSERT ON customers WHEN NOT EXISTS(SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)BEGIN
        INSERT INTO customer_search(tokens)VALUES((SELECT tokens FROM customer_tokens WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND id = NEW.id));
        INSERT INTO customer_places(id,scope,number)SELECT NEW.id,2 * number +(NEW.mode = 'test'),last_insert_rowid()FROM search_scopes WHERE tenant_id = NEW.tenant_id;
        END
      CREATE TRIGGER customers_search_update AFTER UPDATE OF name,email,external_id,folded,archived_at,merged_into ON customers WHEN NEW.erased_at IS NULL AND(OLD.name IS NOT NEW.name OR OLD.email IS NOT NEW.email OR OLD.external_id <> NEW.external_id OR OLD.folded <> NEW.folded OR(OLD.archived_at IS NULL)<>(NEW.archived_at IS NULL)OR(OLD.merged_into IS NULL)<>(NEW.merged_into IS NULL))BEGIN
        UPDATE customer_search SET tokens =(SELECT tokens FROM customer_tokens WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND id = NEW.id)WHERE rowid =(SELECT p.number FROM search_scopes s CROSS JOIN customer_places p ON p.id = NEW.id AND p.scope = 2 * s.number +(NEW.mode = 'test')WHERE s.tenant_id = NEW.tenant_id)AND tokens IS NOT(SELECT tokens FROM customer_tokens WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND id = NEW.id);
        END
      CREATE TRIGGER customers_size_insert BEFORE INSERT ON customers WHEN octet_length(concat_ws('',NEW.external_id,NEW.name,NEW.email,NEW.contact,NEW.address_line1,NEW.address_line2,NEW.address_city,NEW.address_state,NEW.address_postal_code,NEW.address_country,NEW.timezone,NEW.metadata,NEW.integrations,NEW.profile))> 65536 BEGIN
        SELECT RAISE(ABORT,'customer_too_large');
        END
      CREATE TRIGGER customers_size_update BEFORE UPDATE ON customers WHEN octet_length(concat_ws('',NEW.external_id,NEW.name,NEW.email,NEW.contact,NEW.address_line1,NEW.address_line2,NEW.address_city,NEW.address_state,NEW.address_postal_code,NEW.address_country,NEW.timezone,NEW.metadata,NEW.integrations,NEW.profile))> 65536 BEGIN
        SELECT RAISE(ABORT,'customer_too_large');
        END
      CREATE TRIGGER customers_unmerged AFTER UPDATE OF merged_into ON customers WHEN NOT EXISTS(SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)AND NEW.merged_into IS NULL AND OLD.merged_into IS NOT NULL BEGIN
        DELETE FROM customer_aliases WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND external_id = NEW.external_id AND NEW.archived_at IS NULL;
        UPDATE integration_mappings SET customer_id = NEW.id WHERE NEW.archived_at IS NULL AND tenant_id = NEW.tenant_id AND mode = NEW.mode AND customer_id = OLD.merged_into AND(provider,entity_id)IN(SELECT value ->> '$.provider',value ->> '$.id' FROM json_each(NEW.integrations));
        INSERT INTO integration_mappings(tenant_id,mode,provider,entity_id,customer_id)SELECT NEW.tenant_id,NEW.mode,n.value ->> '$.provider',n.value ->> '$.id',NEW.id FROM json_each(NEW.integrations)n WHERE NEW.archived_at IS NULL AND NOT EXISTS(SELECT 1 FROM integration_mappings m WHERE m.tenant_id = NEW.tenant_id AND m.mode = NEW.mode AND m.provider = n.value ->> '$.provider' AND m.entity_id = n.value ->> '$.id' AND m.customer_id = NEW.id);
        INSERT INTO customer_counts(tenant_id,mode,status,count)VALUES(NEW.tenant_id,NEW.mode,iif(NEW.archived_at IS NOT NULL,'archived',NEW.status),1)ON CONFLICT(tenant_id,mode,status)DO UPDATE SET count = count + 1;
        END
      CREATE TRIGGER deployment_data_epoch AFTER UPDATE OF data_epoch ON deployment BEGIN
        UPDATE tenants SET policy_version = NEW.data_epoch;
        END
      CREATE TRIGGER deployment_ends_sessions AFTER UPDATE OF data_epoch ON deployment BEGIN
        DELETE FROM operator_sessions;
        DELETE FROM sign_in_links;
        UPDATE deployment SET operators_version = NEW.data_epoch;
        END
      CREATE TRIGGER events_begin_stay AFTER INSERT ON events WHEN NOT EXISTS(SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)AND NEW.type = 'customer.merged' BEGIN
        INSERT INTO customer_stays(tenant_id,mode,host_id,customer_id,above_version,since)VALUES(NEW.tenant_id,NEW.mode,NEW.customer_id,NEW.detail ->> '$.source_id',NEW.version - 1,NEW.created_at)ON CONFLICT(tenant_id,mode,host_id,customer_id,above_version)DO NOTHING;
        END
      CREATE TRIGGER events_counted AFTER INSERT ON events WHEN NOT EXISTS(SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)AND NEW.type NOT IN('customer.created','customer.updated','customer.archived','customer.restored','customer.merged','customer.unmerged','customer.erased')BEGIN
        INSERT INTO storage_use(tenant_id,mode,bytes)VALUES(NEW.tenant_id,NEW.mode,500 + octet_length(concat_ws('',NEW.before,NEW.after,NEW.detail,NEW.reason))+ 1000 * NEW.deliveries)ON CONFLICT(tenant_id,mode)DO UPDATE SET bytes = bytes + excluded.bytes;
        END
      CREATE TRIGGER events_deleted AFTER DELETE ON events WHEN NOT EXISTS(SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = OLD.tenant_id)BEGIN
        UPDATE storage_use SET bytes = bytes -(500 + octet_length(concat_ws('',OLD.before,OLD.after,OLD.detail,OLD.reason))+ 1000 * OLD.deliveries)WHERE tenant_id = OLD.tenant_id AND mode = OLD.mode;
        END
      CREATE TRIGGER events_end_stay AFTER INSERT ON events WHEN NOT EXISTS(SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)AND NEW.type = 'customer.restored' AND NEW.detail ->> '$.survivor_id' IS NOT NULL BEGIN
        INSERT INTO customer_stays(tenant_id,mode,host_id,customer_id,above_version,since)SELECT NEW.tenant_id,NEW.mode,NEW.detail ->> '$.survivor_id',NEW.customer_id,coalesce(NEW.before ->> '$.version',NEW.version - 1),round(unixepoch(NEW.detail ->> '$.merged_at','subsec')* 1000)WHERE NOT EXISTS(SELECT 1 FROM customer_stays s WHERE s.tenant_id = NEW.tenant_id AND s.mode = NEW.mode AND s.host_id = NEW.detail ->> '$.survivor_id' AND s.customer_id = NEW.customer_id AND s.until_version IS NULL)ON CONFLICT(tenant_id,mode,host_id,customer_id,above_version)DO NOTHING;
        UPDATE customer_stays SET until_version = NEW.version,until_at = NEW.created_at WHERE until_version IS NULL AND(tenant_id,mode,host_id,customer_id,above_version)IN(SELECT s.tenant_id,s.mode,s.host_id,s.customer_id,s.above_version FROM customer_stays s INDEXED BY customer_stays_customer WHERE s.tenant_id = NEW.tenant_id AND s.mode = NEW.mode AND s.customer_id = NEW.customer_id);
        END
      CREATE TRIGGER events_fan_out AFTER INSERT ON events WHEN NOT EXISTS(SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)BEGIN
        INSERT INTO webhook_deliveries(tenant_id,mode,endpoint_id,event_id,event_type,customer_id,status,claims,next_attempt_at,created_at)SELECT NEW.tenant_id,NEW.mode,e.id,NEW.id,NEW.type,NEW.customer_id,'pending',0,iif(EXISTS(SELECT 1 FROM webhook_deliveries d WHERE d.tenant_id = NEW.tenant_id AND d.mode = NEW.mode AND d.customer_id = NEW.customer_id AND d.endpoint_id = e.id AND d.status = 'pending'),8640000000000000,now.ms),now.ms FROM webhook_endpoints e CROSS JOIN(SELECT CAST(unixepoch('subsec')* 1000 AS INTEGER)AS ms)now WHERE e.tenant_id = NEW.tenant_id AND e.mode = NEW.mode AND e.enabled = 1 AND(e.event_types IS NULL OR NEW.type IN(SELECT value FROM json_each(e.event_types)));
        END
      CREATE TRIGGER leaving_admin_audit_delete AFTER DELETE ON admin_audit WHEN EXISTS(SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id)AND(OLD.type GLOB 'webhook.*' OR OLD.type GLOB 'onboarding.*')BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id AND l.state = 'frozen';
        UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = OLD.tenant_id AND state = 'copied';
        INSERT INTO moving_changes(tenant_id,number,of_table,row_key)SELECT l.tenant_id,l.changes,'admin_audit',json_array(OLD.id)FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id AND l.state = 'copied';
        END
      CREATE TRIGGER leaving_admin_audit_insert AFTER INSERT ON admin_audit WHEN EXISTS(SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)AND(NEW.type GLOB 'webhook.*' OR NEW.type GLOB 'onboarding.*')BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
        UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
        INSERT INTO moving_changes(tenant_id,number,of_table,row_key)SELECT l.tenant_id,l.changes,'admin_audit',json_array(NEW.id)FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
        END
      CREATE TRIGGER leaving_admin_audit_update AFTER UPDATE ON admin_audit WHEN EXISTS(SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)AND(NEW.type GLOB 'webhook.*' OR NEW.type GLOB 'onboarding.*')BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
        UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
        INSERT INTO moving_changes(tenant_id,number,of_table,row_key)SELECT l.tenant_id,l.changes,'admin_audit',json_array(NEW.id)FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
        END
      CREATE TRIGGER leaving_archive_objects_delete AFTER DELETE ON archive_objects WHEN EXISTS(SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id)BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id AND l.state = 'frozen';
        UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = OLD.tenant_id AND state = 'copied';
        INSERT INTO moving_changes(tenant_id,number,of_table,row_key)SELECT l.tenant_id,l.changes,'archive_objects',json_array(OLD.mode,OLD.last_id)FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id AND l.state = 'copied';
        END
      CREATE TRIGGER leaving_archive_objects_insert AFTER INSERT ON archive_objects WHEN EXISTS(SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
        UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
        INSERT INTO moving_changes(tenant_id,number,of_table,row_key)SELECT l.tenant_id,l.changes,'archive_objects',json_array(NEW.mode,NEW.last_id)FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
        END
      CREATE TRIGGER leaving_archive_objects_update AFTER UPDATE ON archive_objects WHEN EXISTS(SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
        UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
        INSERT INTO moving_changes(tenant_id,number,of_table,row_key)SELECT l.tenant_id,l.changes,'archive_objects',json_array(NEW.mode,NEW.last_id)FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
        END
      CREATE TRIGGER leaving_customer_merges_delete AFTER DELETE ON customer_merges WHEN EXISTS(SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id)BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id AND l.state = 'frozen';
        UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = OLD.tenant_id AND state = 'copied';
        INSERT INTO moving_changes(tenant_id,number,of_table,row_key)SELECT l.tenant_id,l.changes,'customer_merges',json_array(OLD.mode,OLD.source_id)FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id AND l.state = 'copied';
        END
      CREATE TRIGGER leaving_customer_merges_insert AFTER INSERT ON customer_merges WHEN EXISTS(SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
        UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
        INSERT INTO moving_changes(tenant_id,number,of_table,row_key)SELECT l.tenant_id,l.changes,'customer_merges',json_array(NEW.mode,NEW.source_id)FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
        END
      CREATE TRIGGER leaving_customer_merges_update AFTER UPDATE ON customer_merges WHEN EXISTS(SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
        UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
        INSERT INTO moving_changes(tenant_id,number,of_table,row_key)SELECT l.tenant_id,l.changes,'customer_merges',json_array(NEW.mode,NEW.source_id)FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
        END
      CREATE TRIGGER leaving_customer_stays_delete AFTER DELETE ON customer_stays WHEN EXISTS(SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id)BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id AND l.state = 'frozen';
        UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = OLD.tenant_id AND state = 'copied';
        INSERT INTO moving_changes(tenant_id,number,of_table,row_key)SELECT l.tenant_id,l.changes,'customer_stays',json_array(OLD.mode,OLD.host_id,OLD.customer_id,OLD.above_version)FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id AND l.state = 'copied';
        END
      CREATE TRIGGER leaving_customer_stays_insert AFTER INSERT ON customer_stays WHEN EXISTS(SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
        UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
        INSERT INTO moving_changes(tenant_id,number,of_table,row_key)SELECT l.tenant_id,l.changes,'customer_stays',json_array(NEW.mode,NEW.host_id,NEW.customer_id,NEW.above_version)FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
        END
      CREATE TRIGGER leaving_customer_stays_update AFTER UPDATE ON customer_stays WHEN EXISTS(SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
        UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
        INSERT INTO moving_changes(tenant_id,number,of_table,row_key)SELECT l.tenant_id,l.changes,'customer_stays',json_array(NEW.mode,NEW.host_id,NEW.customer_id,NEW.above_version)FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
        END
      CREATE TRIGGER leaving_customers_delete AFTER DELETE ON customers WHEN EXISTS(SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id)BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id AND l.state = 'frozen';
        UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = OLD.tenant_id AND state = 'copied';
        INSERT INTO moving_changes(tenant_id,number,of_table,row_key)SELECT l.tenant_id,l.changes,'customers',json_array(OLD.mode,OLD.id)FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id AND l.state = 'copied';
        END
      CREATE TRIGGER leaving_customers_insert AFTER INSERT ON customers WHEN EXISTS(SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
        UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
        INSERT INTO moving_changes(tenant_id,number,of_table,row_key)SELECT l.tenant_id,l.changes,'customers',json_array(NEW.mode,NEW.id)FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
        UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
        INSERT INTO moving_changes(tenant_id,number,of_table,row_key)SELECT l.tenant_id,l.changes,'onboarding_runs',json_array(NEW.mode,NEW.id)FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
        END
      CREATE TRIGGER leaving_customers_update AFTER UPDATE ON customers WHEN EXISTS(SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
        UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
        INSERT INTO moving_changes(tenant_id,number,of_table,row_key)SELECT l.tenant_id,l.changes,'customers',json_array(NEW.mode,NEW.id)FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
        END
      CREATE TRIGGER leaving_erasures_delete AFTER DELETE ON erasures WHEN EXISTS(SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id)BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id AND l.state = 'frozen';
        END
      CREATE TRIGGER leaving_erasures_update AFTER UPDATE ON erasures WHEN EXISTS(SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
        END
      CREATE TRIGGER leaving_events_delete AFTER DELETE ON events WHEN EXISTS(SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id)BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id AND l.state = 'frozen';
        UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = OLD.tenant_id AND state = 'copied';
        INSERT INTO moving_changes(tenant_id,number,of_table,row_key)SELECT l.tenant_id,l.changes,'events',json_array(OLD.mode,OLD.id)FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id AND l.state = 'copied';
        END
      CREATE TRIGGER leaving_events_insert AFTER INSERT ON events WHEN EXISTS(SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
        UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
        INSERT INTO moving_changes(tenant_id,number,of_table,row_key)SELECT l.tenant_id,l.changes,'events',json_array(NEW.mode,NEW.id)FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
        END
      CREATE TRIGGER leaving_events_update AFTER UPDATE ON events WHEN EXISTS(SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
        UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
        INSERT INTO moving_changes(tenant_id,number,of_table,row_key)SELECT l.tenant_id,l.changes,'events',json_array(NEW.mode,NEW.id)FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
        END
      CREATE TRIGGER leaving_former_external_ids_delete AFTER DELETE ON former_external_ids WHEN EXISTS(SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id)BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id AND l.state = 'frozen';
        UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = OLD.tenant_id AND state = 'copied';
        INSERT INTO moving_changes(tenant_id,number,of_table,row_key)SELECT l.tenant_id,l.changes,'former_external_ids',json_array(OLD.mode,OLD.external_id,OLD.left_at,OLD.customer_id)FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id AND l.state = 'copied';
        END
      CREATE TRIGGER leaving_former_external_ids_insert AFTER INSERT ON former_external_ids WHEN EXISTS(SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
        UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
        INSERT INTO moving_changes(tenant_id,number,of_table,row_key)SELECT l.tenant_id,l.changes,'former_external_ids',json_array(NEW.mode,NEW.external_id,NEW.left_at,NEW.customer_id)FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
        END
      CREATE TRIGGER leaving_former_external_ids_update AFTER UPDATE ON former_external_ids WHEN EXISTS(SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
        UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
        INSERT INTO moving_changes(tenant_id,number,of_table,row_key)SELECT l.tenant_id,l.changes,'former_external_ids',json_array(NEW.mode,NEW.external_id,NEW.left_at,NEW.customer_id)FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
        END
      CREATE TRIGGER leaving_idempotency_records_delete AFTER DELETE ON idempotency_records WHEN EXISTS(SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id)BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id AND l.state = 'frozen';
        UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = OLD.tenant_id AND state = 'copied';
        INSERT INTO moving_changes(tenant_id,number,of_table,row_key)SELECT l.tenant_id,l.changes,'idempotency_records',json_array(OLD.mode,OLD.key)FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id AND l.state = 'copied';
        END
      CREATE TRIGGER leaving_idempotency_records_insert AFTER INSERT ON idempotency_records WHEN EXISTS(SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
        UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
        INSERT INTO moving_changes(tenant_id,number,of_table,row_key)SELECT l.tenant_id,l.changes,'idempotency_records',json_array(NEW.mode,NEW.key)FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
        END
      CREATE TRIGGER leaving_idempotency_records_update AFTER UPDATE ON idempotency_records WHEN EXISTS(SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
        UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
        INSERT INTO moving_changes(tenant_id,number,of_table,row_key)SELECT l.tenant_id,l.changes,'idempotency_records',json_array(NEW.mode,NEW.key)FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
        END
      CREATE TRIGGER leaving_onboarding_runs_delete AFTER DELETE ON onboarding_runs WHEN EXISTS(SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id)BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id AND l.state = 'frozen';
        UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = OLD.tenant_id AND state = 'copied';
        INSERT INTO moving_changes(tenant_id,number,of_table,row_key)SELECT l.tenant_id,l.changes,'onboarding_runs',json_array(OLD.mode,OLD.customer_id)FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id AND l.state = 'copied';
        END
      CREATE TRIGGER leaving_onboarding_runs_update AFTER UPDATE ON onboarding_runs WHEN EXISTS(SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
        UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
        INSERT INTO moving_changes(tenant_id,number,of_table,row_key)SELECT l.tenant_id,l.changes,'onboarding_runs',json_array(NEW.mode,NEW.customer_id)FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
        END
      CREATE TRIGGER leaving_settings_delete AFTER DELETE ON settings WHEN EXISTS(SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id)BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id AND l.state = 'frozen';
        END
      CREATE TRIGGER leaving_settings_insert AFTER INSERT ON settings WHEN EXISTS(SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
        END
      CREATE TRIGGER leaving_settings_update AFTER UPDATE ON settings WHEN EXISTS(SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
        END
      CREATE TRIGGER leaving_tenants_frozen BEFORE UPDATE OF changes ON leaving_tenants WHEN OLD.state <> 'copied' BEGIN
        SELECT RAISE(ABORT,'tenant_moving');
        END
      CREATE TRIGGER leaving_webhook_attempts_insert AFTER INSERT ON webhook_attempts WHEN EXISTS(SELECT 1 FROM leaving_tenants)BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM webhook_deliveries d CROSS JOIN leaving_tenants l ON l.tenant_id = d.tenant_id WHERE d.id = NEW.delivery_id AND l.state <> 'copied';
        UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id =(SELECT tenant_id FROM webhook_deliveries WHERE id = NEW.delivery_id)AND state = 'copied';
        INSERT INTO moving_changes(tenant_id,number,of_table,row_key)SELECT l.tenant_id,l.changes,'webhook_deliveries',json_array(d.id)FROM webhook_deliveries d CROSS JOIN leaving_tenants l ON l.tenant_id = d.tenant_id WHERE d.id = NEW.delivery_id AND l.state = 'copied';
        END
      CREATE TRIGGER leaving_webhook_attempts_update AFTER UPDATE ON webhook_attempts WHEN EXISTS(SELECT 1 FROM leaving_tenants)BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM webhook_deliveries d CROSS JOIN leaving_tenants l ON l.tenant_id = d.tenant_id WHERE d.id = NEW.delivery_id AND l.state <> 'copied';
        UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id =(SELECT tenant_id FROM webhook_deliveries WHERE id = NEW.delivery_id)AND state = 'copied';
        INSERT INTO moving_changes(tenant_id,number,of_table,row_key)SELECT l.tenant_id,l.changes,'webhook_deliveries',json_array(d.id)FROM webhook_deliveries d CROSS JOIN leaving_tenants l ON l.tenant_id = d.tenant_id WHERE d.id = NEW.delivery_id AND l.state = 'copied';
        END
      CREATE TRIGGER leaving_webhook_deliveries_delete AFTER DELETE ON webhook_deliveries WHEN EXISTS(SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id)BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id AND l.state = 'frozen';
        UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = OLD.tenant_id AND state = 'copied';
        INSERT INTO moving_changes(tenant_id,number,of_table,row_key)SELECT l.tenant_id,l.changes,'webhook_deliveries',json_array(OLD.id)FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id AND l.state = 'copied';
        END
      CREATE TRIGGER leaving_webhook_deliveries_insert AFTER INSERT ON webhook_deliveries WHEN EXISTS(SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
        UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
        INSERT INTO moving_changes(tenant_id,number,of_table,row_key)SELECT l.tenant_id,l.changes,'webhook_deliveries',json_array(NEW.id)FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
        END
      CREATE TRIGGER leaving_webhook_deliveries_update AFTER UPDATE ON webhook_deliveries WHEN EXISTS(SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
        UPDATE leaving_tenants SET changes = changes + 1 WHERE tenant_id = NEW.tenant_id AND state = 'copied';
        INSERT INTO moving_changes(tenant_id,number,of_table,row_key)SELECT l.tenant_id,l.changes,'webhook_deliveries',json_array(NEW.id)FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state = 'copied';
        END
      CREATE TRIGGER leaving_webhook_endpoints_delete AFTER DELETE ON webhook_endpoints WHEN EXISTS(SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id)BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM leaving_tenants l WHERE l.tenant_id = OLD.tenant_id AND l.state = 'frozen';
        END
      CREATE TRIGGER leaving_webhook_endpoints_insert AFTER INSERT ON webhook_endpoints WHEN EXISTS(SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
        END
      CREATE TRIGGER leaving_webhook_endpoints_update AFTER UPDATE ON webhook_endpoints WHEN EXISTS(SELECT 1 FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id)BEGIN
        SELECT RAISE(ABORT,'tenant_moving')FROM leaving_tenants l WHERE l.tenant_id = NEW.tenant_id AND l.state <> 'copied';
        END
      CREATE TRIGGER operator_changes_deleted AFTER DELETE ON events BEGIN
        DELETE FROM operator_changes WHERE tenant_id = OLD.tenant_id AND mode = OLD.mode AND event_id = OLD.id;
        END
      CREATE TRIGGER operator_changes_in_force BEFORE INSERT ON operator_changes WHEN NOT EXISTS(SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)AND((NEW.session_id IS NOT NULL AND NOT EXISTS(SELECT 1 FROM operator_sessions s WHERE s.id = NEW.session_id))OR EXISTS(SELECT 1 FROM events e WHERE e.tenant_id = NEW.tenant_id AND e.mode = NEW.mode AND e.id = NEW.event_id AND e.actor GLOB 'op_*' AND NOT EXISTS(SELECT 1 FROM operators o WHERE o.id = e.actor AND instr('viewer support admin owner',o.role)>= instr('viewer support admin owner',NEW.role))))BEGIN
        SELECT RAISE(ABORT,'operator_not_in_force');
        END
      CREATE TRIGGER operator_keys_max BEFORE INSERT ON operator_keys WHEN(SELECT count(*)FROM operator_keys WHERE operator_id = NEW.operator_id)>= 50 BEGIN
        SELECT RAISE(ABORT,'too_many_operator_keys');
        END
      CREATE TRIGGER operator_sessions_version_delete AFTER DELETE ON operator_sessions BEGIN
        UPDATE deployment SET operators_version = operators_version + 1;
        END
      CREATE TRIGGER operator_sessions_version_insert AFTER INSERT ON operator_sessions BEGIN
        UPDATE deployment SET operators_version = operators_version + 1;
        END
      CREATE TRIGGER operators_last_owner BEFORE DELETE ON operators WHEN OLD.role = 'owner' AND(SELECT count(*)FROM operators WHERE role = 'owner')= 1 BEGIN
        SELECT RAISE(ABORT,'last_owner');
        END
      CREATE TRIGGER operators_last_owner_role BEFORE UPDATE OF role ON operators WHEN OLD.role = 'owner' AND NEW.role <> 'owner' AND(SELECT count(*)FROM operators WHERE role = 'owner')= 1 BEGIN
        SELECT RAISE(ABORT,'last_owner');
        END
      CREATE TRIGGER operators_max BEFORE INSERT ON operators WHEN(SELECT count(*)FROM operators)>= 1000 AND NOT EXISTS(SELECT 1 FROM operators WHERE id = NEW.id)BEGIN
        SELECT RAISE(ABORT,'too_many_operators');
        END
      CREATE TRIGGER operators_version_delete AFTER DELETE ON operators BEGIN
        UPDATE deployment SET operators_version = operators_version + 1;
        END
      CREATE TRIGGER operators_version_insert AFTER INSERT ON operators BEGIN
        UPDATE deployment SET operators_version = operators_version + 1;
        END
      CREATE TRIGGER operators_version_role AFTER UPDATE OF role ON operators BEGIN
        UPDATE deployment SET operators_version = operators_version + 1;
        END
      CREATE TRIGGER sign_in_links_max BEFORE INSERT ON sign_in_links WHEN(SELECT count(*)FROM sign_in_links WHERE operator_id = NEW.operator_id)>= 20 BEGIN
        SELECT RAISE(ABORT,'too_many_sign_in_links');
        END
      CREATE TRIGGER tenants_search_delete BEFORE DELETE ON tenants BEGIN
        DELETE FROM search_scopes WHERE tenant_id = OLD.id;
        END
      CREATE TRIGGER tenants_search_insert AFTER INSERT ON tenants BEGIN
        INSERT INTO search_scopes(tenant_id,number)SELECT NEW.id,coalesce(max(number),0)+ 1 FROM search_scopes;
        END
      CREATE TRIGGER webhook_deliveries_deleted AFTER DELETE ON webhook_deliveries BEGIN
        DELETE FROM webhook_attempts WHERE delivery_id = OLD.id;
        END
      CREATE TRIGGER webhook_endpoints_max BEFORE INSERT ON webhook_endpoints BEGIN
        SELECT RAISE(ABORT,'too_many_endpoints')WHERE(SELECT count(*)FROM webhook_endpoints WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode)>= 20;
        END"
    `)
  })

  it('has the columns of the Drizzle schema', async () => {
    for (const table of Object.values(tables) as SQLiteTable[]) {
      const { results } = await env.DB.prepare(
        `SELECT name, upper(type) AS type, "notnull" AS required FROM pragma_table_info(?)`,
      )
        .bind(getTableName(table))
        .all<{ name: string; type: string; required: number }>()
      const believed = Object.values(getTableColumns(table)).map((column) => ({
        name: column.name,
        type: column.getSQLType().toUpperCase(),
        required: column.notNull ? 1 : 0,
      }))
      expect(results.sort(byName), getTableName(table)).toEqual(believed.sort(byName))
    }
  })
})

function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : 1
}
