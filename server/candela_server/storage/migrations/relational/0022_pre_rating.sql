-- Rating: what lines say of tiers, discounts and fees; true-ups and adjustments; and where closed periods may have
-- changed (DSL-3, DSL-4, DSL-10, EVT-9).
--
-- Locks: ACCESS EXCLUSIVE on invoice_line for a moment for the columns, whose defaults are constants, and while its
-- CHECK and its unique index are made anew: some seconds for ten million lines. The running release writes lines that
-- satisfy both and reads none of the columns. Undo: drop the table, the columns and the indexes, and put the old
-- constraints back while no line of the new kinds is there.

ALTER TABLE invoice_line
    -- The part of the period that the line is for; both absent for all of it.
    ADD COLUMN used_start timestamptz,
    ADD COLUMN used_end timestamptz,
    ADD COLUMN event_count numeric,
    -- What tiers or blocks come to: [{"quantity": "…", "unit_amount": "…", "flat_fee": "…", "up_to": "…" | null}].
    ADD COLUMN parts jsonb NOT NULL DEFAULT '[]',
    -- What discounts took: [{"name": …, "percent": "…" | null, "amount": "…", "of_price": …, "position": …}].
    ADD COLUMN discounts jsonb NOT NULL DEFAULT '[]',
    -- A true-up belongs to a price and not to a component of it.
    ALTER COLUMN component_id DROP NOT NULL,
    DROP CONSTRAINT IF EXISTS invoice_line_kind_check,
    ADD CONSTRAINT invoice_line_kind_check CHECK (kind IN (
        'recurring', 'usage', 'usage_credit', 'proration', 'true_up', 'discount', 'monetary_credit', 'adjustment',
        'top_up')),
    ADD CONSTRAINT invoice_line_used_check CHECK ((used_start IS NULL) = (used_end IS NULL)),
    DROP CONSTRAINT IF EXISTS invoice_line_once;

-- Whatever crashes or runs twice, a component's period, or a price's committed period, is on one invoice (INV-2).
CREATE UNIQUE INDEX invoice_line_once ON invoice_line
    (merchant_id, subscription_id, COALESCE(component_id, price_id), period_start, kind)
    WHERE kind IN ('recurring', 'usage', 'usage_credit', 'true_up');
-- A closed period can be adjusted often, once on each invoice.
CREATE UNIQUE INDEX invoice_line_adjusts_once ON invoice_line
    (merchant_id, subscription_id, COALESCE(component_id, price_id), period_start, invoice_id)
    WHERE kind = 'adjustment';

-- Days of a customer's usage that changed long after they were over: of periods that are billed, these are looked at
-- again. Written by ingestion for events that come late; noted_at is the last time.
CREATE TABLE late_usage (
    merchant_id text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    metric_id   text COLLATE "C" NOT NULL,
    on_day      date NOT NULL,
    noted_at    timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, customer_id, metric_id, on_day)
);
SELECT candela_wall('late_usage', 'SELECT');
CREATE POLICY late_usage_events ON late_usage TO candela_events USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON late_usage TO candela_events;
CREATE INDEX late_usage_by_age ON late_usage (noted_at);
