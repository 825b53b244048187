-- The events themselves, as a TimescaleDB hypertable on the instant of the event, in chunks of a week.
--
-- The same columns and index as the native variant, so that no query knows the difference. Append-only. Not walled
-- by row security, which COPY, compression and continuous aggregates refuse: candela_app has no right here at all,
-- and each statement of candela_events names merchant_id. No unique index: it would have to contain the time and
-- so would not see a retry with another one; event_key does that.
-- Locks: none on existing tables. Undo: drop the table and the function.

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
);
SELECT create_hypertable('event', by_range('happened_at', INTERVAL '7 days'), create_default_indexes => false);
CREATE INDEX event_by_customer ON event (merchant_id, customer_id, name, happened_at);
REVOKE ALL ON event FROM PUBLIC;
GRANT SELECT, INSERT ON event TO candela_events;

-- Nothing to prepare: chunks make themselves. Here because the native variant has it.
CREATE FUNCTION candela_prepare_events(for_instant timestamptz) RETURNS void
    LANGUAGE sql AS $$ SELECT $$;
REVOKE ALL ON FUNCTION candela_prepare_events(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION candela_prepare_events(timestamptz) TO candela_events;
