-- The life of credits: renewal by a rule of their own, rollover, and expiry of whatever has lapsed (CRD-3, CRD-5).
--
-- Locks: credit_grant for about a second per million rows while its unique constraint is built anew, and for a moment
-- with credit_transaction for the policies, the index and the triggers; nobody is kept from reading. The running release
-- grants without rollovers, which the wider constraint allows, and names it as before.
-- Undo: drop the two triggers and their functions, the two tables and the index credit_grant_monetary; put the old
-- constraint and index back while there are no rollovers and no grant that expired twice.

-- When credits with a rule of their own are granted next; a row goes when its subscription ends or offers them no more.
CREATE TABLE credit_renewal (
    merchant_id     text COLLATE "C" NOT NULL,
    subscription_id text COLLATE "C" NOT NULL,
    definition_id   text COLLATE "C" NOT NULL,
    -- Copied from the customer, who never changes clocks, so that due work is found by one index.
    test_clock_id   text COLLATE "C",
    number          integer NOT NULL CHECK (number >= 1),
    due_at          timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, subscription_id, definition_id),
    FOREIGN KEY (merchant_id, subscription_id) REFERENCES subscription,
    FOREIGN KEY (merchant_id, definition_id) REFERENCES credit_definition
);
CREATE INDEX credit_renewal_by_due ON credit_renewal (merchant_id, test_clock_id, due_at);
CREATE INDEX credit_renewal_due_in_real_time ON credit_renewal (due_at, merchant_id) WHERE test_clock_id IS NULL;
SELECT candela_wall('credit_renewal', 'SELECT, INSERT, UPDATE, DELETE');
SELECT candela_system_reads('credit_renewal');

-- A period's credit and what was carried over into it are two grants.
ALTER TABLE credit_grant DROP CONSTRAINT credit_grant_once_per_period,
    ADD CONSTRAINT credit_grant_once_per_period
        UNIQUE (merchant_id, definition_id, subscription_id, effective_at, funding);

-- A grant expires again when credit came back to it after it had: its balance says whether there is something to expire.
DROP INDEX credit_transaction_once_in_a_life;
CREATE UNIQUE INDEX credit_transaction_once_in_a_life ON credit_transaction (merchant_id, grant_id)
    WHERE kind = 'grant';

CREATE INDEX credit_grant_monetary ON credit_grant (merchant_id, customer_id) WHERE application_type = 'monetary';

SELECT candela_system_reads('credit_grant');
SELECT candela_system_reads('credit_transaction');

-- The grants that will have to be looked at when their time is over, so that looking costs nothing until then.
CREATE TABLE credit_expiry (
    merchant_id text COLLATE "C" NOT NULL,
    grant_id    text COLLATE "C" NOT NULL,
    expires_at  timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, grant_id),
    FOREIGN KEY (merchant_id, grant_id) REFERENCES credit_grant
);
CREATE INDEX credit_expiry_by_time ON credit_expiry (expires_at, merchant_id);
SELECT candela_wall('credit_expiry', 'SELECT, INSERT, UPDATE, DELETE');
SELECT candela_system_reads('credit_expiry', 'SELECT, INSERT');

-- Whatever puts credit into a grant that ends, the end is noted: by grants, corrections and restored draws alike.
CREATE FUNCTION candela_note_credit_expiry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO credit_expiry (merchant_id, grant_id, expires_at)
    SELECT g.merchant_id, g.id, g.expires_at FROM credit_grant g
    WHERE g.merchant_id = NEW.merchant_id AND g.id = NEW.grant_id AND g.expires_at IS NOT NULL
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END $$;
CREATE TRIGGER credit_expiry_noted AFTER INSERT ON credit_transaction
    FOR EACH ROW WHEN (NEW.amount > 0) EXECUTE FUNCTION candela_note_credit_expiry();

SET LOCAL ROLE candela_system;
INSERT INTO credit_expiry (merchant_id, grant_id, expires_at)
SELECT g.merchant_id, g.id, g.expires_at FROM credit_grant g
WHERE g.expires_at IS NOT NULL
  AND 0 < (SELECT sum(t.amount) FROM credit_transaction t
           WHERE t.merchant_id = g.merchant_id AND t.grant_id = g.id);
RESET ROLE;

-- Grants and transactions are history: whoever writes, nothing of them ever changes (CRD-4).
CREATE FUNCTION candela_keep_credit_history() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is history and never changes; post a transaction that corrects it', TG_TABLE_NAME;
END $$;
CREATE TRIGGER credit_grant_kept BEFORE UPDATE OR DELETE ON credit_grant
    FOR EACH ROW EXECUTE FUNCTION candela_keep_credit_history();
CREATE TRIGGER credit_transaction_kept BEFORE UPDATE OR DELETE ON credit_transaction
    FOR EACH ROW EXECUTE FUNCTION candela_keep_credit_history();
