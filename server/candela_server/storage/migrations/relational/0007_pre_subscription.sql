-- Subscriptions: a stable row, append-only versions, and what is billed next (SUB-3, INV-2).
-- Locks: none on existing tables. Undo: drop the view and the tables in reverse order.

CREATE TABLE subscription (
    merchant_id       text COLLATE "C" NOT NULL,
    id                text COLLATE "C" NOT NULL,
    customer_id       text COLLATE "C" NOT NULL,
    plan_id           text COLLATE "C" NOT NULL,
    currency          text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    anchor_at         timestamptz NOT NULL,
    time_zone         text NOT NULL,
    collection_method text NOT NULL CHECK (collection_method IN ('send_invoice', 'charge_automatically')),
    metadata          jsonb NOT NULL DEFAULT '{}',
    created_at        timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id),
    FOREIGN KEY (merchant_id, customer_id) REFERENCES customer
);
CREATE INDEX subscription_by_customer ON subscription (merchant_id, customer_id, created_at, id);
CREATE INDEX subscription_by_age ON subscription (merchant_id, created_at, id);
-- UPDATE is what FOR UPDATE asks for; no statement changes a row.
SELECT candela_wall('subscription', 'SELECT, INSERT, UPDATE');

CREATE TABLE subscription_version (
    merchant_id     text COLLATE "C" NOT NULL,
    subscription_id text COLLATE "C" NOT NULL,
    number          integer NOT NULL CHECK (number >= 1),
    status          text NOT NULL CHECK (status IN ('incomplete', 'trialing', 'active', 'past_due', 'paused',
                                                    'canceled', 'expired')),
    plan_id         text COLLATE "C" NOT NULL,
    plan_version_id text COLLATE "C" NOT NULL,
    price_id        text COLLATE "C" NOT NULL,
    -- Quantities of PER_UNIT components by component id, as texts.
    quantities      jsonb NOT NULL,
    valid_from      timestamptz NOT NULL,
    valid_to        timestamptz,
    reason          text NOT NULL DEFAULT '',
    actor           text NOT NULL,
    PRIMARY KEY (merchant_id, subscription_id, number),
    FOREIGN KEY (merchant_id, subscription_id) REFERENCES subscription,
    FOREIGN KEY (merchant_id, plan_version_id) REFERENCES plan_version,
    FOREIGN KEY (merchant_id, price_id) REFERENCES price,
    CHECK (valid_to IS NULL OR valid_from <= valid_to)
);
CREATE UNIQUE INDEX subscription_version_one_open ON subscription_version (merchant_id, subscription_id)
    WHERE valid_to IS NULL;
SELECT candela_wall('subscription_version', 'SELECT, INSERT, UPDATE');

-- The only change a version ever sees is its end, once.
CREATE FUNCTION candela_freeze_subscription_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.valid_to IS NOT NULL OR to_jsonb(NEW) - 'valid_to' <> to_jsonb(OLD) - 'valid_to' THEN
        RAISE EXCEPTION 'version % of subscription % never changes', OLD.number, OLD.subscription_id;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER subscription_version_frozen BEFORE UPDATE ON subscription_version
    FOR EACH ROW EXECUTE FUNCTION candela_freeze_subscription_version();

-- What is billed next of each component: derived from anchor and rule, and moved on by the pipeline.
CREATE TABLE component_schedule (
    merchant_id     text COLLATE "C" NOT NULL,
    subscription_id text COLLATE "C" NOT NULL,
    component_id    text COLLATE "C" NOT NULL,
    -- Copied from the customer, who never changes clocks, so that due work is found by one index.
    test_clock_id   text COLLATE "C",
    period_number   integer NOT NULL CHECK (period_number >= 0),
    period_start    timestamptz NOT NULL,
    period_end      timestamptz NOT NULL,
    due_at          timestamptz NOT NULL,
    -- Set by a safety bound: nothing is billed until a person looks.
    parked_at       timestamptz,
    PRIMARY KEY (merchant_id, subscription_id, component_id),
    FOREIGN KEY (merchant_id, subscription_id) REFERENCES subscription,
    FOREIGN KEY (merchant_id, component_id) REFERENCES price_component,
    CHECK (period_start < period_end AND due_at IN (period_start, period_end))
);
CREATE INDEX component_schedule_by_due ON component_schedule (merchant_id, test_clock_id, due_at)
    WHERE parked_at IS NULL;
CREATE INDEX component_schedule_due_in_real_time ON component_schedule (due_at, merchant_id)
    WHERE test_clock_id IS NULL AND parked_at IS NULL;
SELECT candela_wall('component_schedule', 'SELECT, INSERT, UPDATE, DELETE');
SELECT candela_system_reads('component_schedule', 'SELECT');
