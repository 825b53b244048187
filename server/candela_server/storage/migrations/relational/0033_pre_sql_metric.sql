-- Metrics written in SQL (EVT-6): their text, what of the indexed ones is kept by quarter-hour, and the second wall.
--
-- The first wall is the parser: a query is understood by an allow-list and written anew around literals. This is the
-- second one, which would hold without the first. The role candela_sql owns nothing but the function below and has no
-- right on any table; the function runs as it, where neither a role nor a session can be changed (PostgreSQL refuses
-- both inside a security-definer function), by a cursor, which takes one statement that reads. What it may read is a
-- temporary view that the session's candela_events role makes and grants: the events of one merchant, one customer and
-- one window, which stand in a temporary table that candela_sql can neither see nor write. So no setting is a boundary.
--
-- Locks: ALTER TABLE metric takes ACCESS EXCLUSIVE for a moment and its CHECKs read the table once, thousands of rows
-- at most. The running release writes neither the columns nor 'sql'. Undo: drop the table, the function, the columns,
-- then the role.

DO $$
BEGIN
    BEGIN
        CREATE ROLE candela_sql NOLOGIN NOBYPASSRLS NOINHERIT;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
        NULL;
    END;
    -- Who made a role may grant it, which is not yet to be able to take it.
    IF NOT pg_has_role(current_user, 'candela_sql', 'SET') THEN
        EXECUTE format('GRANT candela_sql TO %I', current_user);
    END IF;
    -- The session's role makes its temporary view.
    EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO candela_events', current_database());
END $$;

ALTER TABLE metric
    ADD COLUMN sql_query text CHECK (length(sql_query) <= 10000),
    ADD COLUMN sql_indexed boolean NOT NULL DEFAULT false;

-- 'sql' beside every aggregation of the contract.
ALTER TABLE metric
    DROP CONSTRAINT metric_aggregation_check,
    ADD CONSTRAINT metric_aggregation_check CHECK (aggregation IN (
        'count', 'sum', 'average', 'max', 'min', 'last', 'unique', 'weighted_sum', 'sql')),
    ADD CONSTRAINT metric_sql_check CHECK (
        (aggregation = 'sql') = (sql_query IS NOT NULL) AND (NOT sql_indexed OR sql_query IS NOT NULL));

-- One quarter-hour of an indexed metric. Whoever adds, voids or replaces an event adds 1 to `revision` in the same
-- transaction; whoever measures the quarter-hour notes at which revision. It is right while both are equal, and is
-- measured again when asked for when they are not. user_id '' is the whole customer. `value` adds up (count and sum)
-- or is compared (min and max); `members` are the distinct values as texts.
CREATE TABLE sql_bucket (
    merchant_id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    metric_id   text COLLATE "C" NOT NULL,
    user_id     text COLLATE "C" NOT NULL DEFAULT '',
    bucket_at   timestamptz NOT NULL CHECK (date_bin('15 minutes', bucket_at, 'epoch') = bucket_at),
    revision    bigint NOT NULL,
    measured    bigint CHECK (measured <= revision),
    value       numeric,
    members     text[] COLLATE "C",
    PRIMARY KEY (merchant_id, customer_id, metric_id, user_id, bucket_at)
) WITH (fillfactor = 70);
SELECT candela_wall('sql_bucket', 'SELECT');
CREATE POLICY sql_bucket_events ON sql_bucket TO candela_events USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON sql_bucket TO candela_events;

-- Runs one query as candela_sql: first its plan, which must not cost more than `most_cost`, then itself, which must
-- not give more than `most_rows` rows of (timestamptz, numeric, text[]).
CREATE FUNCTION candela_measure(query text, most_cost double precision, most_rows integer)
    RETURNS TABLE (bucket_at timestamptz, value numeric, members text[])
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET cursor_tuple_fraction = 1.0 AS $$
DECLARE
    reading refcursor;
    plan text;
    seen integer := 0;
BEGIN
    OPEN reading NO SCROLL FOR EXECUTE 'EXPLAIN (FORMAT JSON) ' || query;
    FETCH reading INTO plan;
    CLOSE reading;
    IF (plan::jsonb #>> '{0,Plan,Total Cost}')::double precision > most_cost THEN
        RAISE EXCEPTION 'the query costs too much' USING ERRCODE = 'CS001';
    END IF;
    OPEN reading NO SCROLL FOR EXECUTE query;
    LOOP
        FETCH reading INTO bucket_at, value, members;
        EXIT WHEN NOT FOUND;
        seen := seen + 1;
        IF seen > most_rows THEN
            RAISE EXCEPTION 'the query gives too many rows' USING ERRCODE = 'CS002';
        END IF;
        RETURN NEXT;
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION candela_measure(text, double precision, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION candela_measure(text, double precision, integer) TO candela_events;

-- A function's owner must have been allowed to make one; for a moment it is.
GRANT CREATE ON SCHEMA public TO candela_sql;
ALTER FUNCTION candela_measure(text, double precision, integer) OWNER TO candela_sql;
REVOKE CREATE ON SCHEMA public FROM candela_sql;

-- What a role without rights can still do by calling functions that everybody may call: wait, make large objects, run
-- a query from a text. Taken from everybody where the migrating role may; Candela's other roles keep them. Not
-- set_config: programs such as pg_dump begin with it, and inside the function above it changes nothing that lasts.
DO $$
DECLARE
    one regprocedure;
BEGIN
    FOR one IN
        SELECT p.oid::regprocedure FROM pg_proc AS p
        WHERE p.pronamespace = 'pg_catalog'::regnamespace
          AND (p.proname ~ '^(pg_sleep|pg_sleep_for|pg_sleep_until|lo_.*|lowrite|loread)$'
               OR p.proname ~ '^(query|table|cursor|schema|database)_to_xml(schema|_and_xmlschema)?$')
          AND has_function_privilege('candela_sql', p.oid, 'EXECUTE')
    LOOP
        BEGIN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO candela_app, candela_system, candela_events', one);
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', one, current_user);
            EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', one);
        EXCEPTION WHEN insufficient_privilege THEN
            NULL;
        END;
    END LOOP;
END $$;
