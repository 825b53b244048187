-- Statistics of what events write come from 3,000 rows instead of 30,000 (EVT-3).
--
-- ANALYZE keeps a snapshot while it takes its sample, and until it ends no old version of any row can be removed: of the
-- rollups that every flush updates hundreds pile up, and each update goes through them. These tables grow by the tenth
-- that has them analyzed each minute, and most pages of the sample are new and get written: that took five seconds and
-- more of every minute, now half a second. Their rows are found by key or by customer and time, and nothing is decided
-- by the details of a sample.
--
-- Locks: SHARE UPDATE EXCLUSIVE on the tables for a moment, which no reader or writer waits for. Undo: SET STATISTICS -1
-- on the columns, create candela_prepare_event_keys as migration 0005 does, and drop the function.

-- Has a table and its partitions analyzed from a small sample. Partitions that are made later must be told, too.
CREATE FUNCTION candela_sample_little(wanted regclass) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    -- A sample has 300 rows for each of these.
    EXECUTE format('ALTER TABLE %s ', wanted) || (
        SELECT string_agg(format('ALTER COLUMN %I SET STATISTICS 10', attname), ', ' ORDER BY attnum)
        FROM pg_attribute WHERE attrelid = wanted AND attnum > 0 AND NOT attisdropped);
END $$;
REVOKE ALL ON FUNCTION candela_sample_little(regclass) FROM PUBLIC;

SELECT candela_sample_little(one) FROM unnest('{event_key, usage_rollup, usage_distinct}'::regclass[]) AS one;

CREATE OR REPLACE FUNCTION candela_prepare_event_keys(of_month date) RETURNS void
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
    PERFORM candela_sample_little(partition_name::regclass);
    EXECUTE format('ALTER TABLE event_key ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                   partition_name, first_day, next_month);
END $$;
