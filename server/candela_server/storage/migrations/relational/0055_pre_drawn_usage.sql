-- The parts of periods whose unpriced usage was drawn as a change, a pause or an end cut them off (CRD-8): what is used
-- in them is in the balances of grants already, so that checks must not count it against these a second time (ENT-4).
-- Parts that were cut before this is applied are not known: they count twice until their period ends, as they did.
-- Locks: none that anybody waits for. Undo: drop the table.

CREATE TABLE drawn_usage (
    merchant_id     text COLLATE "C" NOT NULL,
    subscription_id text COLLATE "C" NOT NULL,
    metric_id       text COLLATE "C" NOT NULL,
    start_at        timestamptz NOT NULL,
    end_at          timestamptz NOT NULL CHECK (start_at < end_at),
    -- By grant, what it paid.
    draws           jsonb NOT NULL,
    PRIMARY KEY (merchant_id, subscription_id, metric_id, start_at),
    FOREIGN KEY (merchant_id, subscription_id) REFERENCES subscription (merchant_id, id),
    FOREIGN KEY (merchant_id, metric_id) REFERENCES metric (merchant_id, id)
);
SELECT candela_wall('drawn_usage', 'SELECT, INSERT');
