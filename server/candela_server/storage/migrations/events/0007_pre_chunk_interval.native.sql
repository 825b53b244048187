-- How long the partitions of events are, where TimescaleDB is not there: a month, whatever the rate. They are made
-- ahead, and a month that is half over cannot be cut without moving its rows.
--
-- Here because the TimescaleDB variant has them, so that no caller knows the difference. Locks: none. Undo: drop them.

CREATE FUNCTION candela_event_chunks(since timestamptz)
    RETURNS TABLE (start_at timestamptz, end_at timestamptz, index_bytes bigint)
    LANGUAGE sql STABLE AS $$ SELECT NULL::timestamptz, NULL::timestamptz, NULL::bigint WHERE false $$;

CREATE FUNCTION candela_event_chunk_interval(OUT chunk_interval interval, OUT cache_bytes bigint)
    LANGUAGE sql STABLE AS $$ SELECT NULL::interval, NULL::bigint $$;

CREATE FUNCTION candela_set_event_chunk_interval(wanted interval) RETURNS void
    LANGUAGE sql AS $$ SELECT $$;

REVOKE ALL ON FUNCTION candela_event_chunks(timestamptz), candela_event_chunk_interval(),
    candela_set_event_chunk_interval(interval) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION candela_event_chunks(timestamptz), candela_event_chunk_interval(),
    candela_set_event_chunk_interval(interval) TO candela_events;
