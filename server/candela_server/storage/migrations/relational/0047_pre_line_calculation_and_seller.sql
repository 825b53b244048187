-- How a line's amount came about, for an accountant to recompute it: free units, percent, fees, bounds, days (INV-1).
-- Lines from before have none. And where the seller is established and registered, which invoices print from now on.
-- And what a grant was sold for; that of packs from before is on their invoices' lines.
-- Locks: ACCESS EXCLUSIVE on invoice_line, tax_settings and credit_grant for an instant. Undo: drop the columns.

ALTER TABLE invoice_line ADD COLUMN calculation jsonb;
ALTER TABLE tax_settings
    ADD COLUMN seller_address jsonb,
    ADD COLUMN seller_business_name text NOT NULL DEFAULT '';
ALTER TABLE credit_grant ADD COLUMN cost_amount numeric, ADD COLUMN cost_currency text;
-- Grants that exist have neither, so that nothing needs to be read to be sure.
ALTER TABLE credit_grant
    ADD CONSTRAINT credit_grant_cost CHECK ((cost_amount IS NULL) = (cost_currency IS NULL)) NOT VALID;
