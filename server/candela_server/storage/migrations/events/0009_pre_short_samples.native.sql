-- Statistics of events come from a small sample, where TimescaleDB is not there: see relational/0101 (EVT-3).
--
-- Locks: SHARE UPDATE EXCLUSIVE on event and its partitions for a moment, which no reader or writer waits for.
-- Undo: SET STATISTICS -1 on the columns, and create candela_prepare_events as migration 0001 does.

SELECT candela_sample_little('event');

CREATE OR REPLACE FUNCTION candela_prepare_events(for_instant timestamptz) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    start_at timestamptz := date_trunc('month', for_instant);
    end_at timestamptz := date_trunc('month', for_instant) + interval '1 month';
    partition_name text := 'event_' || to_char(start_at, 'YYYYMM');
BEGIN
    IF to_regclass('public.' || partition_name) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('candela_prepare_events'));
    -- A query, because to_regclass may answer from a cache that has not heard of what the last holder of the lock did.
    IF EXISTS (SELECT FROM pg_class WHERE relname = partition_name AND relnamespace = 'public'::regnamespace) THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE event INCLUDING DEFAULTS, CHECK (happened_at >= %L AND happened_at < %L))',
                   partition_name, start_at, end_at);
    PERFORM candela_sample_little(partition_name::regclass);
    EXECUTE format('ALTER TABLE event ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                   partition_name, start_at, end_at);
END $$;
