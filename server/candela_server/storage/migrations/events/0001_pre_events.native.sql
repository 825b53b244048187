-- The events themselves, where TimescaleDB is not there: native range partitions by month of the event.
--
-- The same columns and index as the hypertable, so that no query knows the difference. Append-only. Not walled by
-- row security, which COPY and TimescaleDB refuse: candela_app has no right here at all, and each statement of
-- candela_events names merchant_id. No default partition: it would have to be scanned whenever a month is added.
-- Locks: none on existing tables. Undo: drop the table and the functions.

CREATE TABLE event (
    merchant_id     text COLLATE "C" NOT NULL,
    customer_id     text COLLATE "C" NOT NULL,
    name            text COLLATE "C" NOT NULL,
    happened_at     timestamptz NOT NULL,
    value           numeric NOT NULL,
    user_id         text COLLATE "C",
    key_hash        uuid NOT NULL,
    idempotency_key text COLLATE "C" NOT NULL,
    properties      jsonb,
    received_at     timestamptz NOT NULL
) PARTITION BY RANGE (happened_at);
CREATE INDEX event_by_customer ON event (merchant_id, customer_id, name, happened_at);
REVOKE ALL ON event FROM PUBLIC;
GRANT SELECT, INSERT ON event TO candela_events;

-- Makes the partition for an instant unless it is there. Made beside the parent and then attached, because CREATE
-- TABLE … PARTITION OF would stop all writers meanwhile.
CREATE FUNCTION candela_prepare_events(for_instant timestamptz) RETURNS void
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
    EXECUTE format('ALTER TABLE event ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                   partition_name, start_at, end_at);
END $$;
REVOKE ALL ON FUNCTION candela_prepare_events(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION candela_prepare_events(timestamptz) TO candela_events;
