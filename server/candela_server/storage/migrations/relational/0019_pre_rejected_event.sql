-- Events that were kept apart because nobody is known to whom they belong, or because no metric reads their name: the
-- dead letters (EVT-11).
--
-- Bounded in time (30 days, deleted by the hourly job) and in number (100000 per merchant, counted when one comes), so
-- that a sender that is wrong all day fills nothing. Shorter than the shortest dedupe window (36 days): a letter is
-- gone before the key of the same event, sent again and counted meanwhile, is forgotten; so a replay never counts twice.
-- Locks: none on existing tables. Undo: drop the table.
CREATE TABLE rejected_event (
    merchant_id  text COLLATE "C" NOT NULL REFERENCES merchant,
    id           text COLLATE "C" NOT NULL,
    -- As in event_key: 128 bits of BLAKE2b over merchant and key.
    key_hash     uuid NOT NULL,
    -- Of the event as sent, which tells a repetition from another event under the same key.
    payload_hash bigint NOT NULL,
    -- The event as sent: a serialized candela.metering.v1.Event.
    event        bytea NOT NULL,
    -- Why it waits, as judged last.
    reason       text NOT NULL,
    field        text NOT NULL,
    message      text NOT NULL,
    received_at  timestamptz NOT NULL,
    replayed_at  timestamptz,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT rejected_event_key_hash_key UNIQUE (merchant_id, key_hash)
);
CREATE INDEX rejected_event_by_receipt ON rejected_event (merchant_id, received_at, id);
CREATE INDEX rejected_event_by_age ON rejected_event (received_at);
SELECT candela_wall('rejected_event');
SELECT candela_system_reads('rejected_event', 'SELECT, DELETE');
