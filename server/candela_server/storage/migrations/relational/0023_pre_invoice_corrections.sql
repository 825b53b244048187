-- What is done about invoices after they are finalized: void and reissue, offline payment, write-off, credit notes with
-- their own gapless numbers, refunds as records, credit on account; runs that people start; parked customers (INV).
-- Locks: invoice and invoice_line for a moment each (a column with a constant default, triggers); the unique index on
-- lines is built anew under a lock that holds up billing, for about a second per million lines; reading goes on.
-- Undo: drop the new tables in reverse order and the triggers, build invoice_line_once without its predicate (which
-- needs reissued invoices to be gone), drop the column voided.

-- The lines of a void invoice bill nothing any more, so that their periods can be billed once again (INV-6).
ALTER TABLE invoice_line ADD COLUMN voided boolean NOT NULL DEFAULT false;

-- "Once" (INV-2) now means: on one invoice that is not void. Whatever columns say what is billed, they stay.
DO $$
DECLARE
    definition text := pg_get_indexdef('invoice_line_once'::regclass);
BEGIN
    IF EXISTS (SELECT FROM pg_constraint WHERE conname = 'invoice_line_once') THEN
        ALTER TABLE invoice_line DROP CONSTRAINT invoice_line_once;
    ELSE
        DROP INDEX invoice_line_once;
    END IF;
    EXECUTE definition || CASE WHEN definition ~ ' WHERE ' THEN ' AND ' ELSE ' WHERE ' END || 'NOT voided';
END $$;

-- The table of billing/rules/invoice_states.py, held by the database too, whoever writes. What is still due only falls.
CREATE OR REPLACE FUNCTION candela_freeze_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    open_fields text[] := ARRAY['status', 'amount_due', 'ended_at'];
BEGIN
    IF OLD.status = 'draft' THEN
        IF NEW.status NOT IN ('draft', 'finalized', 'paid') THEN
            RAISE EXCEPTION 'invoice % is a draft and cannot become %', OLD.id, NEW.status;
        END IF;
        RETURN NEW;
    END IF;
    IF OLD.status <> 'finalized' OR to_jsonb(NEW) - open_fields <> to_jsonb(OLD) - open_fields THEN
        RAISE EXCEPTION 'invoice % is % and never changes', OLD.id, OLD.status;
    END IF;
    IF NEW.status NOT IN ('finalized', 'paid', 'void', 'uncollectible') OR NEW.amount_due > OLD.amount_due THEN
        RAISE EXCEPTION 'invoice % is finalized and cannot become % with % due',
            OLD.id, NEW.status, NEW.amount_due;
    END IF;
    RETURN NEW;
END $$;
ALTER TABLE invoice ADD CONSTRAINT invoice_settled_owes_nothing
    CHECK (status NOT IN ('paid', 'void') OR amount_due = 0);
ALTER TABLE invoice ADD CONSTRAINT invoice_end_is_dated
    CHECK ((status IN ('paid', 'void', 'uncollectible')) = (ended_at IS NOT NULL));

-- Lines of a finalized invoice never change, but for ceasing to bill when it is void.
CREATE OR REPLACE FUNCTION candela_freeze_invoice_line() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    found record;
BEGIN
    SELECT i.status, i.xmin = pg_current_xact_id()::xid AS fresh INTO found FROM invoice i
    WHERE i.merchant_id = COALESCE(NEW.merchant_id, OLD.merchant_id)
      AND i.id = COALESCE(NEW.invoice_id, OLD.invoice_id);
    IF TG_OP = 'INSERT' THEN
        -- An invoice that is made and finalized in one transaction gets its lines in it, and never again.
        IF found.status <> 'draft' AND NOT found.fresh THEN
            RAISE EXCEPTION 'invoice % is finalized and gets no more lines', NEW.invoice_id;
        END IF;
        RETURN NEW;
    END IF;
    IF TG_OP = 'UPDATE' AND found.status = 'void' AND NEW.voided
       AND to_jsonb(NEW) - 'voided' = to_jsonb(OLD) - 'voided' THEN
        RETURN NEW;
    END IF;
    IF EXISTS (
        SELECT FROM invoice i
        WHERE i.merchant_id = OLD.merchant_id AND i.id = OLD.invoice_id AND i.status <> 'draft'
    ) OR found.status <> 'draft' THEN
        RAISE EXCEPTION 'invoice % is finalized and its lines never change', OLD.invoice_id;
    END IF;
    RETURN COALESCE(NEW, OLD);
END $$;
CREATE TRIGGER invoice_line_closed BEFORE INSERT ON invoice_line
    FOR EACH ROW EXECUTE FUNCTION candela_freeze_invoice_line();

-- Which draft took the place of a void invoice; one at most (INV-6).
CREATE TABLE invoice_reissue (
    merchant_id text COLLATE "C" NOT NULL,
    voided_id   text COLLATE "C" NOT NULL,
    draft_id    text COLLATE "C" NOT NULL,
    PRIMARY KEY (merchant_id, voided_id),
    UNIQUE (merchant_id, draft_id),
    FOREIGN KEY (merchant_id, voided_id) REFERENCES invoice,
    FOREIGN KEY (merchant_id, draft_id) REFERENCES invoice
);
SELECT candela_wall('invoice_reissue', 'SELECT, INSERT');

-- Money that came from outside, as the merchant recorded it (INV-7).
CREATE TABLE offline_payment (
    merchant_id text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    invoice_id  text COLLATE "C" NOT NULL,
    amount      numeric NOT NULL CHECK (amount > 0),
    paid_at     timestamptz NOT NULL,
    reference   text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id),
    FOREIGN KEY (merchant_id, invoice_id) REFERENCES invoice,
    -- An invoice is paid once.
    CONSTRAINT offline_payment_once UNIQUE (merchant_id, invoice_id)
);
SELECT candela_wall('offline_payment', 'SELECT, INSERT');

-- Credit notes: documents of their own, never changed, never deleted (INV-6).
CREATE TABLE credit_note (
    merchant_id     text COLLATE "C" NOT NULL,
    id              text COLLATE "C" NOT NULL,
    number          text NOT NULL,
    invoice_id      text COLLATE "C" NOT NULL,
    customer_id     text COLLATE "C" NOT NULL,
    total           numeric NOT NULL CHECK (total > 0),
    purpose         text NOT NULL CHECK (purpose IN ('reduce_due', 'credit_balance', 'refund')),
    reason          text NOT NULL CHECK (reason IN (
        'duplicate', 'unsatisfactory', 'order_change', 'order_cancellation', 'fraud', 'other')),
    memo            text NOT NULL DEFAULT '',
    -- The grant that holds what is credited to the customer's account.
    grant_id        text COLLATE "C",
    created_at      timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id),
    FOREIGN KEY (merchant_id, invoice_id) REFERENCES invoice,
    FOREIGN KEY (merchant_id, customer_id) REFERENCES customer,
    FOREIGN KEY (merchant_id, grant_id) REFERENCES credit_grant,
    CONSTRAINT credit_note_number_key UNIQUE (merchant_id, number),
    CHECK ((purpose = 'credit_balance') = (grant_id IS NOT NULL))
);
CREATE INDEX credit_note_by_age ON credit_note (merchant_id, created_at, id);
CREATE INDEX credit_note_by_invoice ON credit_note (merchant_id, invoice_id, created_at, id);
CREATE INDEX credit_note_on_account ON credit_note (merchant_id, customer_id) WHERE grant_id IS NOT NULL;
SELECT candela_wall('credit_note', 'SELECT, INSERT');

CREATE TABLE credit_note_line (
    merchant_id     text COLLATE "C" NOT NULL,
    credit_note_id  text COLLATE "C" NOT NULL,
    position        integer NOT NULL,
    invoice_line_id text COLLATE "C" NOT NULL,
    amount          numeric NOT NULL CHECK (amount > 0),
    tax_amount      numeric NOT NULL CHECK (tax_amount >= 0),
    PRIMARY KEY (merchant_id, credit_note_id, position),
    FOREIGN KEY (merchant_id, credit_note_id) REFERENCES credit_note,
    FOREIGN KEY (merchant_id, invoice_line_id) REFERENCES invoice_line,
    CONSTRAINT credit_note_line_once UNIQUE (merchant_id, credit_note_id, invoice_line_id)
);
CREATE INDEX credit_note_line_by_invoice_line ON credit_note_line (merchant_id, invoice_line_id);
SELECT candela_wall('credit_note_line', 'SELECT, INSERT');

-- Behind the rules: all notes of an invoice together never give back more than it asked for, whatever interleaving of
-- writers; the invoice is locked so that two of them cannot both look before the other writes.
CREATE FUNCTION candela_check_credit_notes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    asked numeric;
    credited numeric;
BEGIN
    SELECT total INTO asked FROM invoice
    WHERE merchant_id = NEW.merchant_id AND id = NEW.invoice_id FOR UPDATE;
    SELECT sum(total) INTO credited FROM credit_note
    WHERE merchant_id = NEW.merchant_id AND invoice_id = NEW.invoice_id;
    IF credited > asked THEN
        RAISE EXCEPTION 'the credit notes of invoice % would be % of %', NEW.invoice_id, credited, asked
            USING ERRCODE = 'check_violation', CONSTRAINT = 'credit_notes_within_invoice';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER credit_notes_within_invoice AFTER INSERT ON credit_note
    FOR EACH ROW EXECUTE FUNCTION candela_check_credit_notes();

-- As invoice_counter, of the credit notes' own series.
CREATE TABLE credit_note_counter (
    merchant_id text COLLATE "C" PRIMARY KEY REFERENCES merchant,
    last_number bigint NOT NULL CHECK (last_number >= 0)
);
SELECT candela_wall('credit_note_counter', 'SELECT, INSERT, UPDATE');

-- Money to be paid back, recorded with the credit note that says why (INV-6).
CREATE TABLE refund (
    merchant_id    text COLLATE "C" NOT NULL,
    id             text COLLATE "C" NOT NULL,
    payment_id     text COLLATE "C" NOT NULL,
    credit_note_id text COLLATE "C" NOT NULL,
    amount         numeric NOT NULL CHECK (amount > 0),
    status         text NOT NULL CHECK (status IN ('pending', 'succeeded', 'failed', 'canceled')),
    created_at     timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, id),
    FOREIGN KEY (merchant_id, payment_id) REFERENCES offline_payment,
    FOREIGN KEY (merchant_id, credit_note_id) REFERENCES credit_note,
    CONSTRAINT refund_once_per_note UNIQUE (merchant_id, credit_note_id)
);
CREATE INDEX refund_by_payment ON refund (merchant_id, payment_id);
SELECT candela_wall('refund', 'SELECT, INSERT, UPDATE');

-- What credit on account paid of an invoice's total; negative where it was given back.
CREATE TABLE account_draw (
    merchant_id text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    invoice_id  text COLLATE "C" NOT NULL,
    grant_id    text COLLATE "C" NOT NULL,
    amount      numeric NOT NULL CHECK (amount <> 0),
    PRIMARY KEY (merchant_id, id),
    -- Numbers are given, and credit is drawn, before a new invoice is written in the same transaction.
    FOREIGN KEY (merchant_id, invoice_id) REFERENCES invoice DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (merchant_id, grant_id) REFERENCES credit_grant
);
CREATE INDEX account_draw_by_invoice ON account_draw (merchant_id, invoice_id);
SELECT candela_wall('account_draw', 'SELECT, INSERT');

-- Passes of the pipeline that a person started (INV-1).
CREATE TABLE billing_run (
    merchant_id        text COLLATE "C" NOT NULL,
    id                 text COLLATE "C" NOT NULL,
    until_at           timestamptz NOT NULL,
    status             text NOT NULL CHECK (status IN ('running', 'done', 'failed')),
    subscription_count bigint NOT NULL DEFAULT 0,
    invoice_count      bigint NOT NULL DEFAULT 0,
    parked_count       bigint NOT NULL DEFAULT 0,
    created_at         timestamptz NOT NULL,
    ended_at           timestamptz,
    failure            text NOT NULL DEFAULT '',
    PRIMARY KEY (merchant_id, id),
    CHECK ((status = 'running') = (ended_at IS NULL)),
    CHECK ((status = 'failed') = (failure <> ''))
);
CREATE INDEX billing_run_by_age ON billing_run (merchant_id, created_at, id);
SELECT candela_wall('billing_run', 'SELECT, INSERT, UPDATE');

-- A person looked at a parked customer and let billing go on; what was invoiced before counts towards the bound no more.
CREATE TABLE billing_release (
    merchant_id     text COLLATE "C" NOT NULL,
    customer_id     text COLLATE "C" NOT NULL,
    last_invoice_id text COLLATE "C" NOT NULL,
    released_at     timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, customer_id),
    FOREIGN KEY (merchant_id, customer_id) REFERENCES customer
);
SELECT candela_wall('billing_release', 'SELECT, INSERT, UPDATE');
