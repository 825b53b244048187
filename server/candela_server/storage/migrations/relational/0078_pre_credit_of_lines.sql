-- What invoices took from credits for which period: where one is billed before it is over, checks compare credits with
-- all that it used, and so with what they had before (ENT-4, CRD-8).
-- Locks: none that anybody waits for. Undo: drop credit_drawn_by_line, and make credit_promised as 0043 did.

CREATE OR REPLACE VIEW credit_promised WITH (security_invoker = true) AS
SELECT invoice.merchant_id, invoice.customer_id, drawn ->> 'grant_id' COLLATE "C" AS grant_id,
       (drawn ->> 'quantity')::numeric AS amount, line.period_start, line.period_end
FROM invoice
JOIN invoice_line AS line ON line.merchant_id = invoice.merchant_id AND line.invoice_id = invoice.id
CROSS JOIN LATERAL jsonb_array_elements(line.credit_applications) AS drawn
WHERE invoice.status = 'draft' AND line.kind <> 'adjustment';

-- What is posted, by when it was. What a void invoice's adjustments drew is taken back under no line, so that none of
-- its lines count.
CREATE VIEW credit_drawn_by_line WITH (security_invoker = true) AS
SELECT posted.merchant_id, posted.grant_id, posted.at, -posted.amount AS amount, line.period_start, line.period_end
FROM credit_transaction AS posted
JOIN invoice_line AS line ON line.merchant_id = posted.merchant_id AND line.id = posted.invoice_line_id
WHERE posted.kind IN ('draw', 'restore') AND NOT line.voided;
GRANT SELECT ON credit_drawn_by_line TO candela_app;
