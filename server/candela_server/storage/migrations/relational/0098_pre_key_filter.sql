-- What is known of the keys of a month that is over, so that nearly no event asks its index (EVT-2).
--
-- Keys are spread evenly over a month's index, so a look at one that is not there costs a page of it, and most events
-- have a key that nobody had: each month of the dedupe window made ingestion slower by a tenth. The worker makes one a
-- month; where there is none, the index itself is asked.
-- Locks: none. Undo: drop the table and the function.

CREATE TABLE event_key_filter (
    claim_month date PRIMARY KEY,
    key_count   bigint NOT NULL CHECK (key_count >= 0),
    -- See metering/rules/key_filter.py: a power of two of bytes, at most 128 MiB.
    blocks      bytea NOT NULL,
    made_at     timestamptz NOT NULL
);
-- Random bits do not get smaller.
ALTER TABLE event_key_filter ALTER COLUMN blocks SET STORAGE EXTERNAL;
GRANT SELECT, INSERT, DELETE ON event_key_filter TO candela_events;

-- The months that have a partition of keys, and how many pages of rows each has.
CREATE FUNCTION candela_event_key_months() RETURNS TABLE (claim_month date, pages bigint)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT to_date(right(c.relname, 6), 'YYYYMM'), pg_relation_size(c.oid) / current_setting('block_size')::bigint
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = 'public.event_key'::regclass
    ORDER BY 1
$$;
REVOKE ALL ON FUNCTION candela_event_key_months() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION candela_event_key_months() TO candela_events;
