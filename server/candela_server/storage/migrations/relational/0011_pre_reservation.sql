-- Reservations: what is held of allowances, and use that was decided but whose event is still on its way (ENT-9).
-- Locks: none on existing tables. Undo: drop the table.
--
-- A row is the journal of one reservation. In status 'committing' it is also the outbox of its usage event: the event
-- is recorded under event_key after the decision's commit, by whoever comes first (the caller, its retry, or the
-- sweep), and counts once because its key does. Consume passes through here too, and its row is deleted once the
-- event is durable: the event is the journal then.
CREATE TABLE entitlement_reservation (
    merchant_id        text COLLATE "C" NOT NULL,
    id                 text COLLATE "C" NOT NULL,
    customer_id        text COLLATE "C" NOT NULL,
    user_id            text COLLATE "C",
    feature            text COLLATE "C" NOT NULL,
    metric_id          text COLLATE "C" NOT NULL,
    event_name         text NOT NULL,
    event_key          text COLLATE "C" NOT NULL,
    quantity           numeric NOT NULL CHECK (quantity > 0),
    -- Whether the metric counts events, so that each unit is one of its own.
    counts_events      boolean NOT NULL,
    status             text NOT NULL CHECK (status IN ('held', 'committing', 'committed', 'released', 'expired')),
    created_at         timestamptz NOT NULL,
    -- NULL for what Consume takes: it is never held.
    expires_at         timestamptz,
    -- When it was settled, on the customer's clock; also the instant of the usage event.
    settled_at         timestamptz,
    committed_quantity numeric CHECK (committed_quantity >= 0),
    properties_json    bytea NOT NULL DEFAULT '',
    -- When the use was decided, on the server's clock: the sweep looks after what stays unfinished.
    decided_at         timestamptz,
    -- Why the event could not be recorded, if it could not; the quantity is given back then.
    failure            text,
    failure_message    text,
    PRIMARY KEY (merchant_id, id),
    FOREIGN KEY (merchant_id, customer_id) REFERENCES customer,
    CONSTRAINT entitlement_reservation_event_key UNIQUE (merchant_id, event_key),
    CHECK (expires_at > created_at),
    CHECK ((status = 'held') = (settled_at IS NULL)),
    CHECK ((status IN ('committing', 'committed')) = (committed_quantity IS NOT NULL)),
    CHECK (status <> 'committing' OR decided_at IS NOT NULL)
);
-- What counts against a limit now; the few rows that every decision reads.
CREATE INDEX entitlement_reservation_open ON entitlement_reservation (merchant_id, customer_id, metric_id)
    WHERE status IN ('held', 'committing');
CREATE INDEX entitlement_reservation_unfinished ON entitlement_reservation (decided_at)
    WHERE status = 'committing';
SELECT candela_wall('entitlement_reservation');
SELECT candela_system_reads('entitlement_reservation');
