-- Invoices and their lines; exactly once per component and period, gapless numbers, frozen when finalized (INV).
-- Locks: none on existing tables. Undo: drop the tables in reverse order, then the functions.

CREATE TABLE invoice (
    merchant_id     text COLLATE "C" NOT NULL,
    id              text COLLATE "C" NOT NULL,
    number          text,
    customer_id     text COLLATE "C" NOT NULL,
    subscription_id text COLLATE "C" NOT NULL,
    test_clock_id   text COLLATE "C",
    status          text NOT NULL CHECK (status IN ('draft', 'finalized', 'paid', 'void', 'uncollectible')),
    currency        text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    time_zone       text NOT NULL,
    subtotal        numeric NOT NULL,
    tax_percent     numeric NOT NULL CHECK (tax_percent >= 0),
    tax_amount      numeric NOT NULL,
    tax_reason      text NOT NULL,
    total           numeric NOT NULL CHECK (total >= 0),
    amount_due      numeric NOT NULL CHECK (amount_due BETWEEN 0 AND total),
    created_at      timestamptz NOT NULL,
    finalizes_at    timestamptz,
    finalized_at    timestamptz,
    due_at          timestamptz,
    ended_at        timestamptz,
    -- Who sold and who bought, as printed; taken when it is finalized.
    seller          jsonb,
    buyer           jsonb,
    PRIMARY KEY (merchant_id, id),
    FOREIGN KEY (merchant_id, customer_id) REFERENCES customer,
    FOREIGN KEY (merchant_id, subscription_id) REFERENCES subscription,
    CONSTRAINT invoice_number_key UNIQUE (merchant_id, number),
    CONSTRAINT invoice_adds_up CHECK (total = subtotal + tax_amount),
    CHECK ((status = 'draft') = (number IS NULL)),
    CHECK ((status = 'draft') = (finalized_at IS NULL)),
    CHECK ((status = 'draft') = (finalizes_at IS NOT NULL))
);
CREATE INDEX invoice_by_customer ON invoice (merchant_id, customer_id, created_at, id);
CREATE INDEX invoice_by_age ON invoice (merchant_id, created_at, id);
CREATE INDEX invoice_drafts ON invoice (merchant_id, test_clock_id, finalizes_at) WHERE status = 'draft';
SELECT candela_wall('invoice', 'SELECT, INSERT, UPDATE');
SELECT candela_system_reads('invoice', 'SELECT');

CREATE TABLE invoice_line (
    merchant_id     text COLLATE "C" NOT NULL,
    id              text COLLATE "C" NOT NULL,
    invoice_id      text COLLATE "C" NOT NULL,
    position        integer NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('recurring', 'usage', 'usage_credit')),
    description     text NOT NULL,
    quantity        numeric NOT NULL,
    unit_name       text NOT NULL DEFAULT '',
    unit_amount     numeric,
    rated_amount    numeric NOT NULL,
    amount          numeric NOT NULL,
    subscription_id text COLLATE "C" NOT NULL,
    component_id    text COLLATE "C" NOT NULL,
    price_id        text COLLATE "C" NOT NULL,
    plan_version_id text COLLATE "C" NOT NULL,
    metric_id       text COLLATE "C",
    period_number   integer NOT NULL,
    period_start    timestamptz NOT NULL,
    period_end      timestamptz NOT NULL,
    source_line_id  text COLLATE "C",
    -- What grants paid: [{"grant_id": …, "quantity": "…"}].
    credit_applications jsonb NOT NULL DEFAULT '[]',
    usage_seen_at   timestamptz,
    PRIMARY KEY (merchant_id, id),
    FOREIGN KEY (merchant_id, invoice_id) REFERENCES invoice,
    FOREIGN KEY (merchant_id, component_id) REFERENCES price_component,
    -- Whatever crashes or runs twice, a component's period is on one invoice (INV-2).
    CONSTRAINT invoice_line_once UNIQUE (merchant_id, subscription_id, component_id, period_start, kind)
);
CREATE INDEX invoice_line_by_invoice ON invoice_line (merchant_id, invoice_id, position);
SELECT candela_wall('invoice_line', 'SELECT, INSERT, UPDATE, DELETE');

-- One row per merchant; locked only while numbers are taken, inside the transaction that finalizes (INV-4).
CREATE TABLE invoice_counter (
    merchant_id text COLLATE "C" PRIMARY KEY REFERENCES merchant,
    last_number bigint NOT NULL CHECK (last_number >= 0)
);
SELECT candela_wall('invoice_counter', 'SELECT, INSERT, UPDATE');

-- A finalized invoice never changes but for being paid, voided or given up, whoever tries (INV-6).
CREATE FUNCTION candela_freeze_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    open_fields text[] := ARRAY['status', 'amount_due', 'ended_at'];
BEGIN
    IF OLD.status <> 'draft' AND to_jsonb(NEW) - open_fields <> to_jsonb(OLD) - open_fields THEN
        RAISE EXCEPTION 'invoice % is finalized and never changes', OLD.id;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER invoice_frozen BEFORE UPDATE ON invoice
    FOR EACH ROW EXECUTE FUNCTION candela_freeze_invoice();

CREATE FUNCTION candela_freeze_invoice_line() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM invoice i
        WHERE i.merchant_id = OLD.merchant_id AND i.id = OLD.invoice_id AND i.status <> 'draft'
    ) THEN
        RAISE EXCEPTION 'invoice % is finalized and its lines never change', OLD.invoice_id;
    END IF;
    RETURN COALESCE(NEW, OLD);
END $$;
CREATE TRIGGER invoice_line_frozen BEFORE UPDATE OR DELETE ON invoice_line
    FOR EACH ROW EXECUTE FUNCTION candela_freeze_invoice_line();
