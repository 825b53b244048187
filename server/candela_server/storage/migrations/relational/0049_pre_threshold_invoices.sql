-- Invoices that are made before a period ends, because its usage charges reached an amount that the price names (INV-1, INV-2).
-- Locks: price for an instant; invoice_line and subscription_version against writes while an index of each is built. The
-- lines that exist are not checked again, they are of the kinds that were before.
-- Undo: drop the table and the column; the lines stay as they are.

ALTER TABLE price ADD COLUMN billing_threshold numeric CHECK (billing_threshold > 0);
CREATE INDEX price_with_threshold ON price (merchant_id, id) WHERE billing_threshold IS NOT NULL;
SELECT candela_system_reads('price');
CREATE INDEX subscription_version_in_force_by_price ON subscription_version (merchant_id, price_id, subscription_id)
    WHERE valid_to IS NULL;

ALTER TABLE invoice_line DROP CONSTRAINT invoice_line_kind_check;
ALTER TABLE invoice_line ADD CONSTRAINT invoice_line_kind_check CHECK (kind IN (
    'recurring', 'usage', 'usage_credit', 'proration', 'true_up', 'discount', 'monetary_credit', 'adjustment',
    'top_up', 'threshold')) NOT VALID;
CREATE INDEX invoice_line_of_threshold ON invoice_line (merchant_id, subscription_id) WHERE kind = 'threshold';

-- Behind the lock of the subscription: the invoice of one ordinal within a period is made once.
CREATE TABLE threshold_invoice (
    merchant_id     text COLLATE "C" NOT NULL,
    subscription_id text COLLATE "C" NOT NULL,
    -- Where the running period begins; the earliest of several.
    period_start    timestamptz NOT NULL,
    ordinal         integer NOT NULL CHECK (ordinal > 0),
    invoice_id      text COLLATE "C" NOT NULL,
    -- What the price said then.
    threshold       numeric NOT NULL CHECK (threshold > 0),
    PRIMARY KEY (merchant_id, subscription_id, period_start, ordinal),
    UNIQUE (merchant_id, invoice_id),
    FOREIGN KEY (merchant_id, subscription_id) REFERENCES subscription (merchant_id, id),
    FOREIGN KEY (merchant_id, invoice_id) REFERENCES invoice (merchant_id, id)
);
SELECT candela_wall('threshold_invoice', 'SELECT, INSERT');

-- What credit notes gave back of an ended subscription's threshold invoices, because no later invoice could take it off.
CREATE TABLE threshold_given_back (
    merchant_id     text COLLATE "C" NOT NULL,
    credit_note_id  text COLLATE "C" NOT NULL,
    invoice_line_id text COLLATE "C" NOT NULL,
    amount          numeric NOT NULL CHECK (amount > 0),
    PRIMARY KEY (merchant_id, credit_note_id, invoice_line_id),
    FOREIGN KEY (merchant_id, credit_note_id) REFERENCES credit_note (merchant_id, id),
    FOREIGN KEY (merchant_id, invoice_line_id) REFERENCES invoice_line (merchant_id, id)
);
CREATE INDEX threshold_given_back_by_line ON threshold_given_back (merchant_id, invoice_line_id);
SELECT candela_wall('threshold_given_back', 'SELECT, INSERT');
