-- Roles, the tenant wall, and the three tables behind every mutation: idempotency, audit, outbox (AUD-1, AUD-2).
-- Locks: none on existing tables. Undo: drop the tables, the functions, then the roles.
--
-- Three roles without login, none an owner and none able to bypass row security. The server's connections take one
-- each when they begin:
--   candela_app     a tenant's own data, through the wall: rows of the merchant in candela.merchant_id and no others
--   candela_system  jobs over all merchants: only the tables and rights that candela_system_reads names
--   candela_events  ingestion and raw usage, over all merchants in one flush
-- FORCE binds the owner too, so a migration that fills a tenant table does it as candela_system or per merchant.

DO $$
DECLARE
    role_name text;
BEGIN
    FOREACH role_name IN ARRAY ARRAY['candela_app', 'candela_system', 'candela_events'] LOOP
        BEGIN
            -- Roles belong to the whole cluster; another database's migration may have made them just now.
            EXECUTE format('CREATE ROLE %I NOLOGIN NOBYPASSRLS', role_name);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
        IF NOT pg_has_role(current_user, role_name, 'MEMBER') THEN
            EXECUTE format('GRANT %I TO %I', role_name, current_user);
        END IF;
        EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', role_name);
    END LOOP;
END $$;

-- Puts a tenant table behind the wall: candela_app sees and writes only rows of the transaction's merchant.
CREATE FUNCTION candela_wall(
    table_name text, privileges text DEFAULT 'SELECT, INSERT, UPDATE, DELETE'
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', table_name);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', table_name);
    EXECUTE format(
        'CREATE POLICY %I ON %I TO candela_app
         USING (merchant_id = current_setting(''candela.merchant_id'', true))
         WITH CHECK (merchant_id = current_setting(''candela.merchant_id'', true))',
        table_name || '_wall', table_name);
    EXECUTE format('GRANT %s ON %I TO candela_app', privileges, table_name);
END $$;

-- Opens a tenant table to jobs over all merchants, with these rights and no others.
CREATE FUNCTION candela_system_reads(
    table_name text, privileges text DEFAULT 'SELECT'
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'CREATE POLICY %I ON %I TO candela_system USING (true) WITH CHECK (true)',
        table_name || '_system', table_name);
    EXECUTE format('GRANT %s ON %I TO candela_system', privileges, table_name);
END $$;

REVOKE ALL ON FUNCTION candela_wall(text, text), candela_system_reads(text, text) FROM PUBLIC;

CREATE TABLE idempotency_record (
    merchant_id  text COLLATE "C" NOT NULL,
    method       text COLLATE "C" NOT NULL,
    key          text COLLATE "C" NOT NULL,
    request_hash bytea NOT NULL CHECK (length(request_hash) = 32),
    -- NULL only inside the transaction that is doing the work; nobody else ever sees it.
    response     bytea,
    created_at   timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, method, key)
);
CREATE INDEX idempotency_record_by_age ON idempotency_record (created_at);
SELECT candela_wall('idempotency_record', 'SELECT, INSERT, UPDATE');
SELECT candela_system_reads('idempotency_record', 'SELECT, DELETE');

CREATE TABLE audit_entry (
    merchant_id text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    at          timestamptz NOT NULL,
    actor       text NOT NULL,
    key_id      text COLLATE "C",
    action      text NOT NULL,
    subject_id  text COLLATE "C" NOT NULL,
    reason      text,
    before      jsonb,
    after       jsonb,
    request_id  text,
    method      text,
    PRIMARY KEY (merchant_id, id)
);
CREATE INDEX audit_entry_by_time ON audit_entry (merchant_id, at, id);
CREATE INDEX audit_entry_by_subject ON audit_entry (merchant_id, subject_id, at);
SELECT candela_wall('audit_entry', 'SELECT, INSERT');

CREATE TABLE outbox (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    merchant_id text COLLATE "C" NOT NULL,
    topic       text NOT NULL,
    key         text COLLATE "C" NOT NULL,
    payload     jsonb NOT NULL,
    created_at  timestamptz NOT NULL,
    attempts    integer NOT NULL DEFAULT 0,
    not_before  timestamptz NOT NULL,
    failure     text
);
CREATE INDEX outbox_by_order ON outbox (merchant_id, key, id);
SELECT candela_wall('outbox', 'INSERT');
SELECT candela_system_reads('outbox', 'SELECT, UPDATE, DELETE');
