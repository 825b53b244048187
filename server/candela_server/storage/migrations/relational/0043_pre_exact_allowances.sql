-- What a limit counts exactly: quantities of metrics that sum a property (ENT-9, EVT-5), and credits that drafts will
-- draw (ENT-4, CRD-9); and how those who are past due are found (ENT-10).
-- Locks: entitlement_reservation, a moment; writers of invoice and subscription_version while the indexes are built,
-- some seconds per million rows. Undo: drop the view, the indexes and the column.

-- Which property of the usage event holds the quantity; NULL: the event's own value does, as it did for all before.
ALTER TABLE entitlement_reservation ADD COLUMN measured_property text COLLATE "C";

CREATE INDEX invoice_drafts_of_customer ON invoice (merchant_id, customer_id) WHERE status = 'draft';
CREATE INDEX invoice_unpaid ON invoice (merchant_id, due_at) WHERE status = 'finalized';
CREATE INDEX invoice_unpaid_of_subscription ON invoice (merchant_id, subscription_id) WHERE status = 'finalized';
CREATE INDEX subscription_version_past_due ON subscription_version (merchant_id, subscription_id)
    WHERE valid_to IS NULL AND status = 'past_due';
-- The worker looks for those of all merchants.
SELECT candela_system_reads('subscription_version');

-- What drafts will draw from grants once they are finalized: spent already, though not posted. What adjustments draw is
-- posted as they are made.
CREATE VIEW credit_promised WITH (security_invoker = true) AS
SELECT invoice.merchant_id, invoice.customer_id, drawn ->> 'grant_id' COLLATE "C" AS grant_id,
       (drawn ->> 'quantity')::numeric AS amount
FROM invoice
JOIN invoice_line AS line ON line.merchant_id = invoice.merchant_id AND line.invoice_id = invoice.id
CROSS JOIN LATERAL jsonb_array_elements(line.credit_applications) AS drawn
WHERE invoice.status = 'draft' AND line.kind <> 'adjustment';
GRANT SELECT ON credit_promised TO candela_app;
