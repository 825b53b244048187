-- Credit grants and their transactions: append-only, and a balance is always the sum of its transactions (CRD-4).
-- Locks: none on existing tables. Undo: drop both tables, credit_transaction first, then the function.

CREATE TABLE credit_grant (
    merchant_id      text COLLATE "C" NOT NULL,
    id               text COLLATE "C" NOT NULL,
    customer_id      text COLLATE "C" NOT NULL,
    subscription_id  text COLLATE "C",
    definition_id    text COLLATE "C",
    application_type text NOT NULL CHECK (application_type IN ('usage', 'monetary')),
    scope            text NOT NULL CHECK (scope IN ('component', 'price', 'plan', 'merchant')),
    feature_id       text COLLATE "C",
    metric_id        text COLLATE "C",
    component_id     text COLLATE "C",
    currency         text,
    amount           numeric NOT NULL CHECK (amount > 0),
    effective_at     timestamptz NOT NULL,
    expires_at       timestamptz,
    priority         integer NOT NULL,
    funding          text NOT NULL CHECK (funding IN ('included', 'free', 'promotion', 'paid', 'rollover')),
    billing_visible  boolean NOT NULL,
    reason           text NOT NULL DEFAULT '',
    created_at       timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id),
    FOREIGN KEY (merchant_id, customer_id) REFERENCES customer,
    FOREIGN KEY (merchant_id, definition_id) REFERENCES credit_definition,
    CHECK (expires_at IS NULL OR effective_at < expires_at),
    CHECK ((application_type = 'usage') = (metric_id IS NOT NULL)),
    -- A job that runs twice cannot grant a period twice.
    CONSTRAINT credit_grant_once_per_period UNIQUE (merchant_id, definition_id, subscription_id, effective_at)
);
CREATE INDEX credit_grant_by_customer ON credit_grant (merchant_id, customer_id, created_at, id);
CREATE INDEX credit_grant_by_subscription ON credit_grant (merchant_id, subscription_id, effective_at);
SELECT candela_wall('credit_grant', 'SELECT, INSERT');

CREATE TABLE credit_transaction (
    merchant_id     text COLLATE "C" NOT NULL,
    id              text COLLATE "C" NOT NULL,
    grant_id        text COLLATE "C" NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('grant', 'draw', 'expire', 'revoke', 'restore', 'adjust')),
    amount          numeric NOT NULL CHECK (amount <> 0),
    invoice_line_id text COLLATE "C",
    reason          text NOT NULL DEFAULT '',
    at              timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id),
    FOREIGN KEY (merchant_id, grant_id) REFERENCES credit_grant,
    CHECK ((kind IN ('draw', 'expire', 'revoke')) = (amount < 0) OR kind = 'adjust'),
    -- One line draws from a grant once, whatever runs twice.
    CONSTRAINT credit_transaction_once_per_line UNIQUE (merchant_id, grant_id, kind, invoice_line_id)
);
CREATE INDEX credit_transaction_by_grant ON credit_transaction (merchant_id, grant_id, at, id);
-- A grant is granted once and expires once.
CREATE UNIQUE INDEX credit_transaction_once_in_a_life ON credit_transaction (merchant_id, grant_id, kind)
    WHERE kind IN ('grant', 'expire');
SELECT candela_wall('credit_transaction', 'SELECT, INSERT');

-- The balance of a grant never falls below zero, whatever interleaving of writers: checked when they commit, with the
-- grant locked so that two of them cannot both look before the other writes.
CREATE FUNCTION candela_check_grant_balance() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    balance numeric;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended(NEW.merchant_id || NEW.grant_id, 0));
    SELECT sum(amount) INTO balance FROM credit_transaction
    WHERE merchant_id = NEW.merchant_id AND grant_id = NEW.grant_id;
    IF balance < 0 THEN
        RAISE EXCEPTION 'the balance of grant % would be %', NEW.grant_id, balance
            USING ERRCODE = 'check_violation', CONSTRAINT = 'credit_grant_balance_not_negative';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER credit_grant_balance_not_negative
    AFTER INSERT ON credit_transaction DEFERRABLE INITIALLY IMMEDIATE
    FOR EACH ROW WHEN (NEW.amount < 0) EXECUTE FUNCTION candela_check_grant_balance();
