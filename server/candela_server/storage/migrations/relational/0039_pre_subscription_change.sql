-- Changes of running subscriptions: what a version says of them, the last periods of what is no longer held, and
-- changes that wait for their time (SUB-5, SUB-6).
--
-- Locks: ACCESS EXCLUSIVE on subscription_version and component_schedule for a moment for the columns, whose defaults
-- are constants, and on component_schedule while its key is made anew: about a second per million rows. Undo: drop the
-- table and the indexes, give component_schedule its former key and CHECK while no component is in it twice, drop the
-- columns.

ALTER TABLE subscription_version
    -- What periods are counted from, where that is not what the subscription began with: after a reactivation or trial.
    ADD COLUMN anchor_at timestamptz,
    -- When it ends; absent unless a cancellation is under way.
    ADD COLUMN cancel_at timestamptz,
    -- Since when its plan is held, where it held another before: what that one granted counts no more.
    ADD COLUMN terms_since timestamptz,
    -- What became of the periods that the version cut.
    ADD COLUMN proration text NOT NULL DEFAULT 'next_invoice'
        CHECK (proration IN ('next_invoice', 'invoice_now', 'none'));

-- A component that is held no more is billed once again, by the terms it was held under; so it can be here twice.
ALTER TABLE component_schedule
    ADD COLUMN price_id text COLLATE "C",
    ADD COLUMN plan_version_id text COLLATE "C",
    ADD COLUMN held numeric,
    DROP CONSTRAINT component_schedule_pkey,
    ADD PRIMARY KEY (merchant_id, subscription_id, component_id, period_start),
    DROP CONSTRAINT component_schedule_check,
    ADD CONSTRAINT component_schedule_check CHECK (period_start < period_end AND due_at >= period_start),
    ADD CONSTRAINT component_schedule_last_check CHECK (
        (price_id IS NULL) = (plan_version_id IS NULL) AND (held IS NULL OR price_id IS NOT NULL));
-- What is held is billed once and only once at a time.
CREATE UNIQUE INDEX component_schedule_one_next ON component_schedule (merchant_id, subscription_id, component_id)
    WHERE price_id IS NULL;

-- A period can be cut often, once on each invoice (SEAT-1).
CREATE UNIQUE INDEX invoice_line_prorates_once ON invoice_line
    (merchant_id, subscription_id, component_id, period_start, invoice_id)
    WHERE kind = 'proration';

CREATE TABLE scheduled_change (
    merchant_id     text COLLATE "C" NOT NULL,
    id              text COLLATE "C" NOT NULL,
    subscription_id text COLLATE "C" NOT NULL,
    -- As in component_schedule.
    test_clock_id   text COLLATE "C",
    status          text NOT NULL CHECK (status IN ('pending', 'applied', 'canceled', 'failed')),
    -- Of several that are due at one instant, the order in which they were planned.
    position        bigint GENERATED ALWAYS AS IDENTITY,
    due_at          timestamptz NOT NULL,
    -- What will be done, and what becomes of the cut period; see change_json.py.
    change          jsonb NOT NULL,
    proration       text CHECK (proration IN ('next_invoice', 'invoice_now', 'none')),
    reason          text NOT NULL DEFAULT '',
    actor           text NOT NULL,
    -- Why it failed or was called off.
    outcome         text NOT NULL DEFAULT '',
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id),
    FOREIGN KEY (merchant_id, subscription_id) REFERENCES subscription
);
CREATE INDEX scheduled_change_of_subscription ON scheduled_change (merchant_id, subscription_id, due_at, id);
CREATE INDEX scheduled_change_by_due ON scheduled_change (merchant_id, test_clock_id, due_at) WHERE status = 'pending';
CREATE INDEX scheduled_change_due_in_real_time ON scheduled_change (due_at, merchant_id)
    WHERE status = 'pending' AND test_clock_id IS NULL;
SELECT candela_wall('scheduled_change', 'SELECT, INSERT, UPDATE');
SELECT candela_system_reads('scheduled_change', 'SELECT');
