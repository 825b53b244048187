-- Corrections: which events count no longer, since when, why, and whose usage that changed; and backfills (EVT-4, EVT-9).
--
-- Corrections are facts beside the events: rows are added and never changed. A backfill is one row, whose two borders
-- say which part of its span counts; so it takes effect and is taken back without touching its events.
-- Locks: event_key for a moment, for a column without default. Undo: drop the tables, the column and the grant.

-- Where the event of a key lies, so that it is found by its key without an index of the events by key. NULL for keys
-- taken before this column was there; their events are found by a search through the merchant's months.
ALTER TABLE event_key ADD COLUMN happened_at timestamptz;

CREATE TABLE backfill (
    merchant_id       text COLLATE "C" NOT NULL REFERENCES merchant,
    id                text COLLATE "C" NOT NULL,
    window_start_at   timestamptz NOT NULL,
    window_end_at     timestamptz NOT NULL,
    -- NULL: all customers.
    customer_id       text COLLATE "C",
    replaces_existing boolean NOT NULL,
    reason            text NOT NULL,
    event_count       bigint NOT NULL DEFAULT 0 CHECK (event_count >= 0),
    created_at        timestamptz NOT NULL,
    closed_at         timestamptz,
    reverted_at       timestamptz,
    -- Its events count, and what it replaces does not, from the one until before the other. Closing moves the second
    -- border through the span, reverting the first.
    counted_from_at   timestamptz NOT NULL,
    counted_until_at  timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id),
    FOREIGN KEY (merchant_id, customer_id) REFERENCES customer,
    CHECK (window_start_at < window_end_at AND window_end_at - window_start_at <= interval '31 days'),
    CHECK (counted_from_at BETWEEN window_start_at AND window_end_at),
    CHECK (counted_until_at BETWEEN window_start_at AND window_end_at)
);
-- Those that are not finished: few, and looked for often.
CREATE INDEX backfill_unfinished ON backfill (merchant_id, window_start_at)
    WHERE (reverted_at IS NULL AND counted_until_at < window_end_at)
       OR (reverted_at IS NOT NULL AND counted_from_at < window_end_at);
SELECT candela_wall('backfill', 'SELECT, INSERT, UPDATE');
SELECT candela_system_reads('backfill');
CREATE POLICY backfill_events ON backfill TO candela_events USING (true) WITH CHECK (true);
GRANT SELECT, UPDATE ON backfill TO candela_events;

-- Events that were there already when a backfill sent them again: one that replaces what is there spares them.
CREATE TABLE backfill_kept_event (
    merchant_id text COLLATE "C" NOT NULL,
    backfill_id text COLLATE "C" NOT NULL,
    key_hash    uuid NOT NULL,
    PRIMARY KEY (merchant_id, backfill_id, key_hash)
);
SELECT candela_wall('backfill_kept_event', 'SELECT');
CREATE POLICY backfill_kept_event_events ON backfill_kept_event TO candela_events USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON backfill_kept_event TO candela_events;

-- One correction of usage, or one step of a backfill's: who, when and why.
CREATE TABLE usage_correction (
    merchant_id  text COLLATE "C" NOT NULL REFERENCES merchant,
    id           text COLLATE "C" NOT NULL,
    kind         text NOT NULL CHECK (kind IN ('void', 'replace', 'apply_backfill', 'revert_backfill')),
    backfill_id  text COLLATE "C",
    event_count  bigint NOT NULL,
    reason       text NOT NULL,
    actor        text NOT NULL,
    corrected_at timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id)
);
SELECT candela_wall('usage_correction', 'SELECT, INSERT');

-- Events that count no longer. An event is known by its key, its instant and the backfill it came with ('' for none):
-- a key can be used again after the dedupe window, or in another backfill after a reverted one. backfill_id is the
-- backfill that replaced the event, whose borders then decide; NULL for what was voided for good.
CREATE TABLE event_void (
    merchant_id     text COLLATE "C" NOT NULL,
    key_hash        uuid NOT NULL,
    happened_at     timestamptz NOT NULL,
    came_with       text COLLATE "C" NOT NULL DEFAULT '',
    correction_id   text COLLATE "C" NOT NULL,
    customer_id     text COLLATE "C" NOT NULL,
    user_id         text COLLATE "C" NOT NULL DEFAULT '',
    name            text COLLATE "C" NOT NULL,
    backfill_id     text COLLATE "C",
    replaced_by_key text COLLATE "C",
    voided_at       timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, key_hash, happened_at, came_with, correction_id)
);
CREATE INDEX event_void_by_backfill ON event_void (merchant_id, backfill_id, happened_at)
    WHERE backfill_id IS NOT NULL;
SELECT candela_wall('event_void', 'SELECT');
CREATE POLICY event_void_events ON event_void TO candela_events USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON event_void TO candela_events;

-- Whose usage of which metric a correction changed, between which instants. Whoever has billed a period for good
-- compares: a row that overlaps the period and is younger than the bill says that the period is to be rated again.
CREATE TABLE corrected_usage (
    merchant_id   text COLLATE "C" NOT NULL,
    correction_id text COLLATE "C" NOT NULL,
    customer_id   text COLLATE "C" NOT NULL,
    metric_id     text COLLATE "C" NOT NULL,
    start_at      timestamptz NOT NULL,
    end_at        timestamptz NOT NULL,
    corrected_at  timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, correction_id, customer_id, metric_id),
    FOREIGN KEY (merchant_id, correction_id) REFERENCES usage_correction
);
CREATE INDEX corrected_usage_by_customer ON corrected_usage (merchant_id, customer_id, metric_id, corrected_at);
CREATE INDEX corrected_usage_by_time ON corrected_usage (merchant_id, corrected_at);
SELECT candela_wall('corrected_usage', 'SELECT, INSERT');

-- Quarter-hours of a unique metric are made anew.
GRANT DELETE ON usage_distinct TO candela_events;
