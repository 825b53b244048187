-- What the pipeline could not do for one subscription, draft or scheduled change, so that it goes on with the others and
-- tries this one again later (INV-1).
-- And indexes: by which what is parked is counted each time Prometheus asks, and by which those that ended lately are
-- found whose late usage no regular invoice will bill (EVT-9).
-- Locks: component_schedule and subscription_version against writes while the indexes are built. Undo: drop all three;
-- then everything is tried again at once.

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
CREATE INDEX subscription_version_ended ON subscription_version (merchant_id, valid_from)
    WHERE valid_to IS NULL AND status IN ('canceled', 'expired');
