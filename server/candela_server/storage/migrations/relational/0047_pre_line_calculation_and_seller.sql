-- How a line's amount came about, for an accountant to recompute it: free units, percent, fees, bounds, days (INV-1).
-- Lines from before have none. And where the seller is established and registered, which invoices print from now on.
-- Locks: ACCESS EXCLUSIVE on invoice_line and tax_settings for an instant. Undo: drop the columns.

ALTER TABLE invoice_line ADD COLUMN calculation jsonb;
ALTER TABLE tax_settings
    ADD COLUMN seller_address jsonb,
    ADD COLUMN seller_business_name text NOT NULL DEFAULT '';
