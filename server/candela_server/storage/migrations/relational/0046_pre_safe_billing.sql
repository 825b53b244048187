-- What the pipeline could not do for one subscription, draft or scheduled change, so that it goes on with the others and
-- tries this one again later (INV-1).
-- And indexes: by which what is parked is counted each time Prometheus asks, and by which those that ended lately are
-- found whose late usage no regular invoice will bill (EVT-9).
-- Locks: component_schedule and subscription_version against writes while the indexes are built, invoice for a moment.
-- Undo: drop all of it; then everything is tried again at once.

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

-- Behind the rules: what an invoice comes to is what its lines say, from the moment at which it is frozen (INV-8). At the
-- end of the transaction, because the lines follow their invoice.
CREATE FUNCTION candela_check_lines_add_up() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    shown numeric;
BEGIN
    SELECT COALESCE(sum(amount), 0) INTO shown FROM invoice_line
    WHERE merchant_id = NEW.merchant_id AND invoice_id = NEW.id;
    IF shown <> NEW.subtotal THEN
        RAISE EXCEPTION 'the lines of invoice % come to %, not %', NEW.id, shown, NEW.subtotal
            USING ERRCODE = 'check_violation', CONSTRAINT = 'invoice_lines_add_up';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER invoice_lines_add_up AFTER INSERT ON invoice DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.status <> 'draft') EXECUTE FUNCTION candela_check_lines_add_up();
CREATE CONSTRAINT TRIGGER finalized_lines_add_up AFTER UPDATE OF status ON invoice DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (OLD.status = 'draft' AND NEW.status <> 'draft') EXECUTE FUNCTION candela_check_lines_add_up();
