-- What happens to events as they age, on TimescaleDB: old chunks are dropped, and compressed where its licence has that.
--
-- Locks: event's writers while the index is built, some seconds per million events, unless it is there. Dropping
-- chunks locks the table for a moment. Undo: drop the functions and the index.

-- By time alone: to list the events of all customers, and to read history into a metric step by step.
CREATE INDEX IF NOT EXISTS event_by_time ON event (merchant_id, happened_at);

-- Drops the chunks that end before an instant; answers how many, and the instant from which on events are kept.
-- drop_chunks is in the Apache build, too; a retention policy is not, and would not tell what it dropped.
CREATE FUNCTION candela_drop_events(before_instant timestamptz, OUT dropped integer, OUT kept_since timestamptz)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
BEGIN
    SELECT count(*) INTO dropped FROM drop_chunks('public.event'::regclass, older_than => before_instant);
    -- A chunk that reaches beyond the instant stays whole; what it still holds of before may be gone any time.
    kept_since := date_bin('15 minutes', before_instant, 'epoch') + interval '15 minutes';
END $$;

-- Switches compression of old chunks on, where TimescaleDB's licence has it; answers whether it is on. Harmless twice.
CREATE FUNCTION candela_compress_events(older_than interval) RETURNS boolean
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF current_setting('timescaledb.license', true) IS DISTINCT FROM 'timescale' THEN
        RETURN false;
    END IF;
    IF NOT EXISTS (SELECT FROM timescaledb_information.hypertables
                   WHERE hypertable_name = 'event' AND compression_enabled) THEN
        ALTER TABLE event SET (timescaledb.compress, timescaledb.compress_segmentby = 'merchant_id, customer_id, name',
                               timescaledb.compress_orderby = 'happened_at');
    END IF;
    PERFORM add_compression_policy('public.event'::regclass, older_than, if_not_exists => true);
    RETURN true;
END $$;

REVOKE ALL ON FUNCTION candela_drop_events(timestamptz), candela_compress_events(interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION candela_drop_events(timestamptz), candela_compress_events(interval) TO candela_events;
