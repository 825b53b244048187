-- Packs of credits that customers buy, and when packs are bought by themselves (CRD-9).
--
-- Locks: invoice and invoice_line for a moment, for columns that may be absent from now on; the running release never
-- leaves them out and reads no invoice of a pack while it is rolled out by itself.
-- Undo: drop both tables, and put the three NOT NULLs back while there is no invoice of a pack.

-- A pack belongs to no subscription and to no price of a plan.
ALTER TABLE invoice ALTER COLUMN subscription_id DROP NOT NULL;
ALTER TABLE invoice_line
    ALTER COLUMN subscription_id DROP NOT NULL,
    ALTER COLUMN price_id DROP NOT NULL,
    ALTER COLUMN plan_version_id DROP NOT NULL,
    ADD CONSTRAINT invoice_line_of_a_price CHECK (
        kind = 'top_up'
        OR (subscription_id IS NOT NULL AND price_id IS NOT NULL AND plan_version_id IS NOT NULL)) NOT VALID;

CREATE TABLE top_up (
    merchant_id text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    invoice_id  text COLLATE "C" NOT NULL,
    -- It has no transaction, and so holds nothing, until the pack is paid.
    grant_id    text COLLATE "C" NOT NULL,
    -- What it is for; absent for money.
    feature_id  text COLLATE "C",
    automatic   boolean NOT NULL,
    status      text NOT NULL CHECK (status IN ('pending', 'paid', 'ended')),
    created_at  timestamptz NOT NULL,
    ended_at    timestamptz,
    PRIMARY KEY (merchant_id, id),
    FOREIGN KEY (merchant_id, customer_id) REFERENCES customer,
    FOREIGN KEY (merchant_id, invoice_id) REFERENCES invoice,
    FOREIGN KEY (merchant_id, grant_id) REFERENCES credit_grant,
    CONSTRAINT top_up_once_per_invoice UNIQUE (merchant_id, invoice_id),
    CHECK ((status = 'pending') = (ended_at IS NULL))
);
-- One in flight: whatever runs twice or at once, a customer owes one pack at most.
CREATE UNIQUE INDEX top_up_pending ON top_up (merchant_id, customer_id) WHERE status = 'pending';
CREATE INDEX top_up_by_customer ON top_up (merchant_id, customer_id, created_at);
SELECT candela_wall('top_up', 'SELECT, INSERT, UPDATE');

CREATE TABLE auto_top_up (
    merchant_id       text COLLATE "C" NOT NULL,
    customer_id       text COLLATE "C" NOT NULL,
    -- What it is for; '' for money.
    feature_id        text COLLATE "C" NOT NULL,
    enabled           boolean NOT NULL,
    threshold         numeric NOT NULL CHECK (threshold >= 0),
    amount            numeric NOT NULL CHECK (amount > 0),
    price_amount      numeric NOT NULL CHECK (price_amount > 0),
    currency          text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    monthly_cap_count integer NOT NULL CHECK (monthly_cap_count BETWEEN 1 AND 100),
    stopped_reason    text NOT NULL DEFAULT '',
    updated_at        timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, customer_id, feature_id),
    FOREIGN KEY (merchant_id, customer_id) REFERENCES customer
);
CREATE INDEX auto_top_up_running ON auto_top_up (merchant_id) WHERE enabled AND stopped_reason = '';
SELECT candela_wall('auto_top_up', 'SELECT, INSERT, UPDATE');
SELECT candela_system_reads('auto_top_up');
