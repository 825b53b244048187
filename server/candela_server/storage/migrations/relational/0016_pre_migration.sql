-- Migrations of subscribers to another version of their plan, and what became of each of them (CAT-9).
-- Locks: the index on subscription_version is built under a lock that holds up new subscriptions and changes of them,
-- for about a second per million versions; reading goes on. Undo: drop the tables in reverse order, and the index.

CREATE TABLE plan_migration (
    merchant_id          text COLLATE "C" NOT NULL,
    id                   text COLLATE "C" NOT NULL,
    plan_id              text COLLATE "C" NOT NULL,
    from_plan_version_id text COLLATE "C" NOT NULL,
    to_plan_version_id   text COLLATE "C" NOT NULL,
    -- Ids by kind; an empty list is no condition.
    filter               jsonb NOT NULL,
    timing               text NOT NULL CHECK (timing IN ('now', 'period_end', 'at')),
    effective_at         timestamptz,
    proration            text NOT NULL CHECK (proration IN ('next_invoice', 'invoice_now', 'none')),
    actor                text NOT NULL,
    status               text NOT NULL CHECK (status IN ('running', 'done', 'canceled')),
    created_at           timestamptz NOT NULL,
    ended_at             timestamptz,
    PRIMARY KEY (merchant_id, id),
    FOREIGN KEY (merchant_id, plan_id) REFERENCES plan,
    FOREIGN KEY (merchant_id, from_plan_version_id) REFERENCES plan_version,
    FOREIGN KEY (merchant_id, to_plan_version_id) REFERENCES plan_version,
    CHECK ((timing = 'at') = (effective_at IS NOT NULL)),
    CHECK ((status = 'running') = (ended_at IS NULL))
);
CREATE INDEX plan_migration_by_age ON plan_migration (merchant_id, created_at, id);
SELECT candela_wall('plan_migration', 'SELECT, INSERT, UPDATE');

-- One row per subscription that a migration reaches: what becomes of it, once (CAT-9).
CREATE TABLE migration_result (
    merchant_id     text COLLATE "C" NOT NULL,
    migration_id    text COLLATE "C" NOT NULL,
    subscription_id text COLLATE "C" NOT NULL,
    -- Copied from the customer, who never changes clocks, so that due moves are found by one index.
    test_clock_id   text COLLATE "C",
    currency        text NOT NULL,
    outcome         text NOT NULL CHECK (outcome IN ('pending', 'scheduled', 'moved', 'failed')),
    reason          text NOT NULL DEFAULT '',
    -- On the customer's clock.
    due_at          timestamptz,
    PRIMARY KEY (merchant_id, migration_id, subscription_id),
    -- No reference to subscription: its check would lock every one that is reached, and billing would pass them by.
    FOREIGN KEY (merchant_id, migration_id) REFERENCES plan_migration,
    CHECK ((outcome = 'failed') = (reason <> '')),
    CHECK (outcome <> 'scheduled' OR due_at IS NOT NULL)
);
CREATE INDEX migration_result_waiting ON migration_result (merchant_id, migration_id, outcome, subscription_id)
    WHERE outcome IN ('pending', 'scheduled');
CREATE INDEX migration_result_by_due ON migration_result (merchant_id, test_clock_id, due_at)
    WHERE outcome = 'scheduled';
CREATE INDEX migration_result_due_in_real_time ON migration_result (due_at, merchant_id)
    WHERE outcome = 'scheduled' AND test_clock_id IS NULL;
-- A subscription waits for one move at most.
CREATE UNIQUE INDEX migration_result_one_scheduled ON migration_result (merchant_id, subscription_id)
    WHERE outcome = 'scheduled';
SELECT candela_wall('migration_result', 'SELECT, INSERT, UPDATE');
SELECT candela_system_reads('migration_result', 'SELECT');

CREATE INDEX subscription_version_in_force_by_plan_version
    ON subscription_version (merchant_id, plan_version_id, subscription_id)
    WHERE valid_to IS NULL;

-- A result that was reached stays; a migration that ended stays ended.
CREATE FUNCTION candela_freeze_migration_result() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.outcome IN ('moved', 'failed') THEN
        RAISE EXCEPTION 'the result of % in migration % never changes', OLD.subscription_id, OLD.migration_id;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER migration_result_frozen BEFORE UPDATE ON migration_result
    FOR EACH ROW EXECUTE FUNCTION candela_freeze_migration_result();
