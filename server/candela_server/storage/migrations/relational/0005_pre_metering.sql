-- What events add up to, which keys were taken, and which writers took them (EVT-2, EVT-7, EVT-8).
--
-- The role candela_events writes here for many merchants in one transaction (the group commit), so it passes the
-- tenants' wall by a policy of its own; each of its statements names merchant_id. Everybody else only reads, walled.
-- Locks: none on existing tables but the metric table's trigger. Undo: drop the trigger, the functions, the tables.

-- Exact sums per quarter-hour, so that the days of every time zone are made of whole rows. user_id '' is the whole
-- customer, any other that user's part of it; dimension '' is all groups, any other one value of the metric's
-- group-by property. No foreign keys on what a flush writes: their triggers would cost more than the row, and the
-- directory has just read the customer and the metric. last_* belong to the latest event; ties are broken by the hash of the key, not by arrival.
CREATE TABLE usage_rollup (
    merchant_id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    metric_id   text COLLATE "C" NOT NULL,
    user_id     text COLLATE "C" NOT NULL DEFAULT '',
    dimension   text COLLATE "C" NOT NULL DEFAULT '',
    bucket_at   timestamptz NOT NULL CHECK (date_bin('15 minutes', bucket_at, 'epoch') = bucket_at),
    event_count bigint NOT NULL CHECK (event_count >= 0),
    value_sum   numeric NOT NULL,
    value_min   numeric NOT NULL,
    value_max   numeric NOT NULL,
    last_at     timestamptz NOT NULL,
    last_key    uuid NOT NULL,
    last_value  numeric NOT NULL,
    PRIMARY KEY (merchant_id, customer_id, metric_id, user_id, dimension, bucket_at)
) WITH (fillfactor = 70);
SELECT candela_wall('usage_rollup', 'SELECT');
CREATE POLICY usage_rollup_events ON usage_rollup TO candela_events USING (true) WITH CHECK (true);
-- DELETE is for reading a metric's history, which makes its rollups anew.
GRANT SELECT, INSERT, UPDATE, DELETE ON usage_rollup TO candela_events;

-- Which distinct values a unique metric saw in which quarter-hour.
CREATE TABLE usage_distinct (
    merchant_id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    metric_id   text COLLATE "C" NOT NULL,
    user_id     text COLLATE "C" NOT NULL DEFAULT '',
    dimension   text COLLATE "C" NOT NULL DEFAULT '',
    bucket_at   timestamptz NOT NULL,
    value       text COLLATE "C" NOT NULL,
    PRIMARY KEY (merchant_id, customer_id, metric_id, user_id, dimension, bucket_at, value)
);
SELECT candela_wall('usage_distinct', 'SELECT');
CREATE POLICY usage_distinct_events ON usage_distinct TO candela_events USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON usage_distinct TO candela_events;

-- Event names that no metric reads: accepted, but probably a misspelling.
CREATE TABLE unmatched_event_name (
    merchant_id    text COLLATE "C" NOT NULL,
    name           text COLLATE "C" NOT NULL,
    event_count    bigint NOT NULL,
    first_event_at timestamptz NOT NULL,
    last_event_at  timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, name)
);
SELECT candela_wall('unmatched_event_name', 'SELECT');
CREATE POLICY unmatched_event_name_events ON unmatched_event_name TO candela_events
    USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON unmatched_event_name TO candela_events;

-- Counts a merchant's metric definitions. A flush holds its row FOR SHARE, a change of a metric holds it for update:
-- so each flush either ends before the change or knows it, and no event is rolled up by outdated definitions.
CREATE TABLE metric_version (
    merchant_id text COLLATE "C" NOT NULL PRIMARY KEY,
    version     bigint NOT NULL
);
SELECT candela_wall('metric_version', 'SELECT, INSERT, UPDATE');
CREATE POLICY metric_version_events ON metric_version TO candela_events USING (true) WITH CHECK (true);
-- UPDATE is what FOR SHARE asks for; candela_events only adds a row at
-- version 0 for a merchant without metrics, so that there is one to hold.
GRANT SELECT, INSERT, UPDATE ON metric_version TO candela_events;

CREATE FUNCTION candela_count_metric_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO metric_version AS known (merchant_id, version) VALUES (NEW.merchant_id, 1)
    ON CONFLICT (merchant_id) DO UPDATE SET version = known.version + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER metric_counts_version AFTER INSERT OR UPDATE ON metric
    FOR EACH ROW EXECUTE FUNCTION candela_count_metric_version();

-- Metrics whose rollups hold all events from before the metric was made, too (EVT-10). A metric without a row has
-- not read history yet.
CREATE TABLE metric_history (
    merchant_id text COLLATE "C" NOT NULL REFERENCES merchant,
    metric_id   text COLLATE "C" NOT NULL,
    read_count  bigint NOT NULL,
    filled_at   timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, metric_id)
);
SELECT candela_wall('metric_history', 'SELECT');
CREATE POLICY metric_history_events ON metric_history TO candela_events USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON metric_history TO candela_events;

-- The dedupe window: one row per key taken, in monthly partitions by the month of the claim, so that old keys are
-- dropped as whole tables. key_hash is 128 bits of BLAKE2b over merchant and key: it names its merchant, which is
-- why this table has no merchant_id. A plain table because an index of the events must contain their time, and a
-- retry may carry another one (faults 39).
CREATE TABLE event_key (
    key_hash     uuid NOT NULL,
    claim_month  date NOT NULL,
    payload_hash bigint NOT NULL,
    PRIMARY KEY (key_hash, claim_month)
) PARTITION BY RANGE (claim_month);
GRANT SELECT, INSERT, DELETE ON event_key TO candela_events;

-- One row per connection that writes events: the number of its last committed flush. A counter that was read from
-- the rollups together with these numbers knows which flushes it already contains.
CREATE TABLE event_writer (
    number     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sequence   bigint NOT NULL,
    flushed_at timestamptz NOT NULL
) WITH (fillfactor = 50);
GRANT SELECT, INSERT, UPDATE, DELETE ON event_writer TO candela_events;

-- Makes the partition of a month unless it is there. Made beside the parent and then attached, because CREATE TABLE
-- … PARTITION OF would stop all writers meanwhile.
CREATE FUNCTION candela_prepare_event_keys(of_month date) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    first_day date := date_trunc('month', of_month::timestamp)::date;
    next_month date := (date_trunc('month', of_month::timestamp) + interval '1 month')::date;
    partition_name text := 'event_key_' || to_char(first_day, 'YYYYMM');
BEGIN
    IF to_regclass('public.' || partition_name) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('candela_prepare_event_keys'));
    -- A query, because to_regclass may answer from a cache that has not heard of what the last holder of the lock did.
    IF EXISTS (SELECT FROM pg_class WHERE relname = partition_name AND relnamespace = 'public'::regnamespace) THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE event_key INCLUDING DEFAULTS, CHECK (claim_month >= %L AND claim_month < %L))',
                   partition_name, first_day, next_month);
    EXECUTE format('ALTER TABLE event_key ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                   partition_name, first_day, next_month);
END $$;

-- Drops the keys of all months before the given one; answers how many months.
CREATE FUNCTION candela_drop_event_keys(before_month date) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    old_partition record;
    dropped integer := 0;
BEGIN
    FOR old_partition IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'public.event_key'::regclass
          AND c.relname < 'event_key_' || to_char(before_month, 'YYYYMM')
    LOOP
        EXECUTE format('DROP TABLE %I', old_partition.relname);
        dropped := dropped + 1;
    END LOOP;
    RETURN dropped;
END $$;

REVOKE ALL ON FUNCTION candela_prepare_event_keys(date), candela_drop_event_keys(date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION candela_prepare_event_keys(date), candela_drop_event_keys(date) TO candela_events;
