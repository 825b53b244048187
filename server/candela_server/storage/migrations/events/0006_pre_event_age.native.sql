-- What happens to events as they age, where TimescaleDB is not there: whole months are dropped.
--
-- Locks: event's writers while the index is built, some seconds per million events, unless it is there. Dropping a
-- month locks the table for a moment. Undo: drop the functions and the index.

-- By time alone: to list the events of all customers, and to read history into a metric step by step.
CREATE INDEX IF NOT EXISTS event_by_time ON event (merchant_id, happened_at);

-- Drops the months that end before an instant; answers how many, and the instant from which on events are kept.
CREATE FUNCTION candela_drop_events(before_instant timestamptz, OUT dropped integer, OUT kept_since timestamptz)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    old_partition record;
BEGIN
    dropped := 0;
    kept_since := date_trunc('month', before_instant);
    FOR old_partition IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'public.event'::regclass AND c.relname < 'event_' || to_char(kept_since, 'YYYYMM')
    LOOP
        EXECUTE format('DROP TABLE %I', old_partition.relname);
        dropped := dropped + 1;
    END LOOP;
END $$;

-- Nothing to switch on: native partitions have neither policies nor compression.
CREATE FUNCTION candela_compress_events(older_than interval) RETURNS boolean
    LANGUAGE sql AS $$ SELECT false $$;

REVOKE ALL ON FUNCTION candela_drop_events(timestamptz), candela_compress_events(interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION candela_drop_events(timestamptz), candela_compress_events(interval) TO candela_events;
