-- How long the chunks of events are follows from how fast events come: what the worker measures and sets, hourly.
--
-- Only chunks that are made later have the new length; none is touched. Owned by the table's owner, as
-- set_chunk_time_interval asks for, and callable by candela_events alone.
-- Locks: none. Undo: drop the functions, and SELECT set_chunk_time_interval('event', INTERVAL '7 days').

-- The chunks that reach beyond an instant, the latest 200 at most, with the bytes of their indexes; none that is
-- compressed, which has next to no index left.
CREATE FUNCTION candela_event_chunks(since timestamptz)
    RETURNS TABLE (start_at timestamptz, end_at timestamptz, index_bytes bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT range_start, range_end, pg_indexes_size(format('%I.%I', chunk_schema, chunk_name)::regclass)
    FROM timescaledb_information.chunks
    WHERE hypertable_schema = 'public' AND hypertable_name = 'event' AND range_end > since AND NOT is_compressed
    ORDER BY range_start DESC LIMIT 200
$$;

-- How long the next chunk will be, and the memory that this server was told it has for files and buffers, in bytes.
CREATE FUNCTION candela_event_chunk_interval(OUT chunk_interval interval, OUT cache_bytes bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT time_interval, pg_size_bytes(current_setting('effective_cache_size'))
    FROM timescaledb_information.dimensions
    WHERE hypertable_schema = 'public' AND hypertable_name = 'event' AND dimension_number = 1
$$;

CREATE FUNCTION candela_set_event_chunk_interval(wanted interval) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT set_chunk_time_interval('public.event'::regclass, wanted)
$$;

REVOKE ALL ON FUNCTION candela_event_chunks(timestamptz), candela_event_chunk_interval(),
    candela_set_event_chunk_interval(interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION candela_event_chunks(timestamptz), candela_event_chunk_interval(),
    candela_set_event_chunk_interval(interval) TO candela_events;
