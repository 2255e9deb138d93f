-- Finds customers by the beginnings of their words. The full-text index is changed by triggers, in the transaction of the change,
-- so a search is as fresh as a list, and finds no erased customer.
-- The Worker sends texts with their folds, see src/storage/folded.ts, because the database cannot fold. So no other statement
-- has to know about the index.
-- A token is the tenant as 5 hexadecimal digits, a letter for the mode and for archived or not, and a word. A search has the
-- tenant and the letter in front of each word too, so it visits only customers of that tenant and mode.

-- Every tenant gets a number here, which is shorter than its id. The number is free again when all of the tenant is deleted.
CREATE TABLE search_scopes (
  tenant_id text PRIMARY KEY NOT NULL,
  number integer NOT NULL,
  FOREIGN KEY (tenant_id) REFERENCES tenants (id) ON UPDATE no action ON DELETE no action,
  CONSTRAINT search_scopes_number CHECK (number BETWEEN 1 AND 1048575)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE UNIQUE INDEX search_scopes_number ON search_scopes (number);
--> statement-breakpoint
-- Finds the tenant of a token.
CREATE UNIQUE INDEX search_scopes_code ON search_scopes (printf('%05x', number));
--> statement-breakpoint
-- The place of each customer in the index: its rowid there, in the order in which customers were committed. An erased customer
-- keeps its number here, because cursors name it, but not its row in the index. Another customer may then get the same number.
-- The key begins with the id, so that operators find a customer of any tenant. scope is twice the number of the tenant, and one more
-- in test mode: its id would take half of the row.
CREATE TABLE customer_places (
  id text NOT NULL,
  scope integer NOT NULL,
  number integer NOT NULL,
  PRIMARY KEY (id, scope)
) WITHOUT ROWID;
--> statement-breakpoint
CREATE VIEW customer_numbers AS
SELECT p.id AS id, s.tenant_id AS tenant_id, iif(p.scope & 1, 'test', 'live') AS mode, p.number AS number
FROM customer_places p CROSS JOIN search_scopes s ON s.number = p.scope >> 1;
--> statement-breakpoint
-- Words of 1 to 8 letters are found without a walk over all words that have them in front: the 6 characters before a word count too.
CREATE VIRTUAL TABLE customer_search USING fts5 (
  tokens, detail=column, columnsize=0, prefix='7 8 9 10 11 12 13 14',
  tokenize="ascii tokenchars '!#$%&()*+,-./:;<=>?@[]^_{|}~'"
);
--> statement-breakpoint
-- A merge in steps goes on as long as there are two parts.
INSERT INTO customer_search (customer_search, rank) VALUES ('usermerge', 2);
--> statement-breakpoint
-- An entry that is removed is only marked: its bytes stay, as those of former words do, until all parts of the index that have them are
-- merged. The merges have numbers. This row says which one takes out all words of customers that are gone by now, which one has begun and
-- when, and which one is done. See src/storage/customers/removed-words.ts.
CREATE TABLE search_merges (
  id integer PRIMARY KEY NOT NULL,
  owed integer NOT NULL,
  begun integer NOT NULL,
  done integer NOT NULL,
  begun_at integer NOT NULL,
  CONSTRAINT search_merges_one_row CHECK (id = 1)
);
--> statement-breakpoint
-- The tokens in their order, each once for each customer that has it. A search reads the first few of them to know if a word is
-- rare. It takes no room: it is another look at the index.
CREATE VIRTUAL TABLE customer_search_words USING fts5vocab (customer_search, instance);
--> statement-breakpoint
-- The only place that says what the tokens of a customer are: its words, and the last one is its id, which says whose they are. Words
-- that are not in folded are the fold, and a fold that is not there is the text in lower case.
-- The token that begins with 00000e is its e-mail address, by which operators find it, whatever its tenant. No tenant has the number
-- 0. The characters 96 and 39, a grave accent and an apostrophe, would part a token, and no address has a parenthesis.
-- A customer that is merged into another one has only its id, without a tenant in front, so nobody finds it.
CREATE VIEW customer_tokens AS
SELECT c.tenant_id AS tenant_id, c.mode AS mode, c.id AS id,
  iif(c.is_merged, '', substr(
    replace(
      iif(c.name_words = '', '', ' ' || c.name_words)
        || iif(c.email_words = '', '', ' ' || c.email_words)
        || iif(c.external_id_words = '', '', ' ' || c.external_id_words),
      ' ', ' ' || printf('%05x', s.number) || c.letter
    )
      || iif(c.address = '', '', ' 00000e' || replace(replace(c.address, char(96), '('), char(39), ')'))
      || ' ' || printf('%05x', s.number) || c.letter,
    2
  )) || lower(c.id) AS tokens
FROM (
  SELECT tenant_id, mode, id, merged_into IS NOT NULL AS is_merged,
    coalesce(folded ->> '$.name_words', folded ->> '$.name', lower(name), '') AS name_words,
    coalesce(
      folded ->> '$.email_words',
      folded ->> '$.email' || ' ' || substr(folded ->> '$.email', instr(folded ->> '$.email', '@') + 1),
      lower(email) || ' ' || lower(substr(email, instr(email, '@') + 1)),
      ''
    ) AS email_words,
    coalesce(folded ->> '$.external_id_words', folded ->> '$.external_id', lower(external_id)) AS external_id_words,
    lower(coalesce(email_ascii, email, '')) AS address,
    substr('abcd', 1 + (archived_at IS NOT NULL) + 2 * (mode = 'test'), 1) AS letter
  FROM customers WHERE erased_at IS NULL
) c CROSS JOIN search_scopes s ON s.tenant_id = c.tenant_id;
--> statement-breakpoint
CREATE TRIGGER tenants_search_insert AFTER INSERT ON tenants
BEGIN
  INSERT INTO search_scopes (tenant_id, number)
  SELECT NEW.id, coalesce(max(number), 0) + 1 FROM search_scopes;
END;
--> statement-breakpoint
CREATE TRIGGER tenants_search_delete BEFORE DELETE ON tenants
BEGIN
  DELETE FROM search_scopes WHERE tenant_id = OLD.id;
END;
--> statement-breakpoint
CREATE TRIGGER customers_search_insert AFTER INSERT ON customers
WHEN NOT EXISTS (SELECT 1 FROM arriving_tenants a WHERE a.tenant_id = NEW.tenant_id)
BEGIN
  INSERT INTO customer_search (tokens) VALUES (
    (SELECT tokens FROM customer_tokens WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND id = NEW.id)
  );
  INSERT INTO customer_places (id, scope, number)
  SELECT NEW.id, 2 * number + (NEW.mode = 'test'), last_insert_rowid() FROM search_scopes WHERE tenant_id = NEW.tenant_id;
END;
--> statement-breakpoint
-- A text that differs in case or accents only has the same words, and then nothing is written. A customer that is merged into
-- another one has no words, but keeps its row: its number must not become the number of another one.
CREATE TRIGGER customers_search_update AFTER UPDATE OF name, email, external_id, folded, archived_at, merged_into ON customers
WHEN NEW.erased_at IS NULL AND (
  OLD.name IS NOT NEW.name OR OLD.email IS NOT NEW.email OR OLD.external_id <> NEW.external_id
  OR OLD.folded <> NEW.folded OR (OLD.archived_at IS NULL) <> (NEW.archived_at IS NULL)
  OR (OLD.merged_into IS NULL) <> (NEW.merged_into IS NULL)
)
BEGIN
  UPDATE customer_search SET tokens = (
    SELECT tokens FROM customer_tokens WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND id = NEW.id
  )
  WHERE rowid = (
    SELECT p.number FROM search_scopes s CROSS JOIN customer_places p
      ON p.id = NEW.id AND p.scope = 2 * s.number + (NEW.mode = 'test') WHERE s.tenant_id = NEW.tenant_id
  ) AND tokens IS NOT (
    SELECT tokens FROM customer_tokens WHERE tenant_id = NEW.tenant_id AND mode = NEW.mode AND id = NEW.id
  );
END;
--> statement-breakpoint
CREATE TRIGGER customers_search_erase AFTER UPDATE OF erased_at ON customers
WHEN NEW.erased_at IS NOT NULL AND OLD.erased_at IS NULL
BEGIN
  DELETE FROM customer_search WHERE rowid = (
    SELECT p.number FROM search_scopes s CROSS JOIN customer_places p
      ON p.id = NEW.id AND p.scope = 2 * s.number + (NEW.mode = 'test') WHERE s.tenant_id = NEW.tenant_id
  );
  INSERT INTO search_merges (id, owed, begun, done, begun_at) VALUES (1, 1, 0, 0, 0)
  ON CONFLICT (id) DO UPDATE SET owed = begun + 1 WHERE owed <= begun;
END;
--> statement-breakpoint
-- The number of a customer that is not in the index any more may be the number of another one there.
CREATE TRIGGER customers_search_delete AFTER DELETE ON customers
BEGIN
  DELETE FROM customer_search WHERE substr(tokens, -length(OLD.id)) = lower(OLD.id) AND rowid = (
    SELECT p.number FROM search_scopes s CROSS JOIN customer_places p
      ON p.id = OLD.id AND p.scope = 2 * s.number + (OLD.mode = 'test') WHERE s.tenant_id = OLD.tenant_id
  );
  INSERT INTO search_merges (id, owed, begun, done, begun_at) VALUES (1, 1, 0, 0, 0)
  ON CONFLICT (id) DO UPDATE SET owed = begun + 1 WHERE owed <= begun;
  DELETE FROM customer_places WHERE id = OLD.id AND scope = (
    SELECT 2 * number + (OLD.mode = 'test') FROM search_scopes WHERE tenant_id = OLD.tenant_id
  );
END;
