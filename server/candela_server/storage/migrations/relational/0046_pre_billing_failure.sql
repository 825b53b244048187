-- What the pipeline could not do for one subscription, draft or scheduled change, so that it goes on with the others and
-- tries this one again later (INV-1).
-- And an index by which what is parked is counted each time Prometheus asks.
-- Locks: component_schedule against writes while the index, which is nearly empty, is built. Undo: drop both; then
-- everything is tried again at once.

CREATE TABLE billing_failure (
    merchant_id text COLLATE "C" NOT NULL REFERENCES merchant,
    -- What it happened to: its kind tells the id's table.
    kind        text NOT NULL CHECK (kind IN ('subscription', 'draft', 'scheduled_change')),
    subject_id  text COLLATE "C" NOT NULL,
    failure     text NOT NULL,
    attempts    integer NOT NULL CHECK (attempts > 0),
    failed_at   timestamptz NOT NULL,
    -- Until then it is passed by.
    retry_at    timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, kind, subject_id),
    CHECK (failed_at < retry_at)
);
SELECT candela_wall('billing_failure', 'SELECT, INSERT, UPDATE, DELETE');
SELECT candela_system_reads('billing_failure');

CREATE INDEX component_schedule_parked ON component_schedule (merchant_id, subscription_id)
    WHERE parked_at IS NOT NULL;
