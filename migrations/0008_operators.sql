-- Operators: who runs this deployment, in which role, and what each proves it with. The admin keys of the secret ADMIN_KEYS stand
-- in no table. Table definitions follow src/storage/schema/operator-tables.ts. Ids sort by the time they were made.
CREATE TABLE operators (
  id text PRIMARY KEY NOT NULL,
  name text NOT NULL,
  email text NOT NULL,
  role text NOT NULL,
  last_seen_at integer,
  created_at integer NOT NULL,
  updated_at integer NOT NULL,
  version integer NOT NULL,
  CONSTRAINT operators_role CHECK (role IN ('viewer', 'support', 'admin', 'owner'))
) WITHOUT ROWID;
--> statement-breakpoint
-- An address belongs to one operator, whatever the case of its ASCII letters. Other letters are never folded here, because Cloudflare
-- Access signs in by the address, and two that only look alike are two people.
CREATE UNIQUE INDEX operators_email ON operators (email COLLATE NOCASE);
--> statement-breakpoint
CREATE TABLE operator_keys (
  id text PRIMARY KEY NOT NULL,
  operator_id text NOT NULL,
  name text NOT NULL,
  secret_hash text NOT NULL,
  created_at integer NOT NULL,
  expires_at integer,
  last_used_at integer,
  FOREIGN KEY (operator_id) REFERENCES operators (id) ON UPDATE no action ON DELETE no action
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX operator_keys_operator ON operator_keys (operator_id);
--> statement-breakpoint
CREATE TABLE operator_sessions (
  id text PRIMARY KEY NOT NULL,
  operator_id text,
  key_id text,
  admin_actor text,
  admin_key_seal text,
  secret_hash text NOT NULL,
  created_at integer NOT NULL,
  expires_at integer NOT NULL,
  FOREIGN KEY (operator_id) REFERENCES operators (id) ON UPDATE no action ON DELETE no action,
  CONSTRAINT operator_sessions_owner CHECK ((operator_id IS NULL) = (admin_actor IS NOT NULL))
) WITHOUT ROWID;
--> statement-breakpoint
-- Finds the sessions that end with an operator or a key. Those of an admin key stand under NULL.
CREATE INDEX operator_sessions_operator ON operator_sessions (operator_id);
--> statement-breakpoint
CREATE TABLE sign_in_links (
  id text PRIMARY KEY NOT NULL,
  operator_id text NOT NULL,
  secret_hash text NOT NULL,
  created_at integer NOT NULL,
  expires_at integer NOT NULL,
  FOREIGN KEY (operator_id) REFERENCES operators (id) ON UPDATE no action ON DELETE no action
) WITHOUT ROWID;
--> statement-breakpoint
CREATE INDEX sign_in_links_operator ON sign_in_links (operator_id);
--> statement-breakpoint
-- The audit names the operator that was changed, and the role and the session of the one who did it.
ALTER TABLE admin_audit ADD operator_id text;
--> statement-breakpoint
ALTER TABLE admin_audit ADD role text;
--> statement-breakpoint
ALTER TABLE admin_audit ADD session_id text;
--> statement-breakpoint
-- There is always an owner, also when two owners take the role from each other at the same moment.
CREATE TRIGGER operators_last_owner_role BEFORE UPDATE OF role ON operators
WHEN OLD.role = 'owner' AND NEW.role <> 'owner' AND (SELECT count(*) FROM operators WHERE role = 'owner') = 1
BEGIN
  SELECT RAISE(ABORT, 'last_owner');
END;
--> statement-breakpoint
CREATE TRIGGER operators_last_owner BEFORE DELETE ON operators
WHEN OLD.role = 'owner' AND (SELECT count(*) FROM operators WHERE role = 'owner') = 1
BEGIN
  SELECT RAISE(ABORT, 'last_owner');
END;
--> statement-breakpoint
CREATE TRIGGER operators_max BEFORE INSERT ON operators
WHEN (SELECT count(*) FROM operators) >= 1000 AND NOT EXISTS (SELECT 1 FROM operators WHERE id = NEW.id)
BEGIN
  SELECT RAISE(ABORT, 'too_many_operators');
END;
--> statement-breakpoint
CREATE TRIGGER operator_keys_max BEFORE INSERT ON operator_keys
WHEN (SELECT count(*) FROM operator_keys WHERE operator_id = NEW.operator_id) >= 50
BEGIN
  SELECT RAISE(ABORT, 'too_many_operator_keys');
END;
--> statement-breakpoint
CREATE TRIGGER sign_in_links_max BEFORE INSERT ON sign_in_links
WHEN (SELECT count(*) FROM sign_in_links WHERE operator_id = NEW.operator_id) >= 20
BEGIN
  SELECT RAISE(ABORT, 'too_many_sign_in_links');
END;
--> statement-breakpoint
-- A database that was set back or restored has sessions and links that were ended or used since. None of them may come back.
CREATE TRIGGER deployment_ends_sessions AFTER UPDATE OF data_epoch ON deployment
BEGIN
  DELETE FROM operator_sessions;
  DELETE FROM sign_in_links;
  -- An epoch is a time, so it is above every version that was counted up to.
  UPDATE deployment SET operators_version = NEW.data_epoch;
END;
--> statement-breakpoint
-- The other databases get copies of operators and sessions, and tell older ones from newer ones by the version.
CREATE TRIGGER operators_version_insert AFTER INSERT ON operators
BEGIN
  UPDATE deployment SET operators_version = operators_version + 1;
END;
--> statement-breakpoint
CREATE TRIGGER operators_version_role AFTER UPDATE OF role ON operators
BEGIN
  UPDATE deployment SET operators_version = operators_version + 1;
END;
--> statement-breakpoint
CREATE TRIGGER operators_version_delete AFTER DELETE ON operators
BEGIN
  UPDATE deployment SET operators_version = operators_version + 1;
END;
--> statement-breakpoint
CREATE TRIGGER operator_sessions_version_insert AFTER INSERT ON operator_sessions
BEGIN
  UPDATE deployment SET operators_version = operators_version + 1;
END;
--> statement-breakpoint
CREATE TRIGGER operator_sessions_version_delete AFTER DELETE ON operator_sessions
BEGIN
  UPDATE deployment SET operators_version = operators_version + 1;
END;
