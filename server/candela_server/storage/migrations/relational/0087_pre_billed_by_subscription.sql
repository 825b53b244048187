-- What one subscription was billed: its lines, read whenever it is billed, changed or previewed, and its invoices, as people
-- list them. The unique indexes over lines hold some kinds only, so that a question about all lines, or about void ones, read
-- every line of the merchant (INV-1, INV-5).
-- Locks: SHARE on invoice_line and invoice while the indexes are built. Undo: drop the indexes.

CREATE INDEX invoice_line_by_subscription ON invoice_line (merchant_id, subscription_id, period_end);
CREATE INDEX invoice_by_subscription ON invoice (merchant_id, subscription_id, created_at, id)
    WHERE subscription_id IS NOT NULL;
