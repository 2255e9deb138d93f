-- The role and the session with which an operator changed a customer as its tenant. Events of other callers have no row here, so
-- they take no byte and no write for it. The table definition follows src/storage/schema/tables.ts.
CREATE TABLE operator_changes (
  tenant_id text NOT NULL,
  mode text NOT NULL,
  event_id text NOT NULL,
  role text NOT NULL,
  session_id text,
  PRIMARY KEY (tenant_id, mode, event_id)
) WITHOUT ROWID;
--> statement-breakpoint
-- An operator was checked when its request came in. This checks once more in the transaction of the change, so that none is made
-- after the answer to a demotion, a removal or a sign-out. The roles stand in the text in their order, so the place compares them.
CREATE TRIGGER operator_changes_in_force BEFORE INSERT ON operator_changes
WHEN NOT EXISTS (SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id) AND (
  (NEW.session_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM operator_sessions s WHERE s.id = NEW.session_id))
  OR EXISTS (
    SELECT 1 FROM events e WHERE e.tenant_id = NEW.tenant_id AND e.mode = NEW.mode AND e.id = NEW.event_id
      AND e.actor GLOB 'op_*' AND NOT EXISTS (
        SELECT 1 FROM operators o WHERE o.id = e.actor
          AND instr('viewer support admin owner', o.role) >= instr('viewer support admin owner', NEW.role)
      )
  )
)
BEGIN
  SELECT RAISE(ABORT, 'operator_not_in_force');
END;
--> statement-breakpoint
-- The same for all other changes of operators, which have their audit entry in their own transaction. The entry of an end comes
-- before the end. Only the entries of endpoints and settings arrive with a tenant.
CREATE TRIGGER admin_audit_in_force BEFORE INSERT ON admin_audit
WHEN (
  (NEW.type NOT GLOB 'webhook.*' AND NEW.type NOT GLOB 'onboarding.*')
  OR NOT EXISTS (SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)
) AND (
  (NEW.session_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM operator_sessions s WHERE s.id = NEW.session_id))
  OR (NEW.actor GLOB 'op_*' AND NEW.role IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM operators o WHERE o.id = NEW.actor
      AND instr('viewer support admin owner', o.role) >= instr('viewer support admin owner', NEW.role)
  ))
)
BEGIN
  SELECT RAISE(ABORT, 'operator_not_in_force');
END;
--> statement-breakpoint
CREATE TRIGGER operator_changes_deleted AFTER DELETE ON events
BEGIN
  DELETE FROM operator_changes WHERE tenant_id = OLD.tenant_id AND mode = OLD.mode AND event_id = OLD.id;
END;
