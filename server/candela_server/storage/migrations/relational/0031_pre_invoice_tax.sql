-- What an invoice's tax is called, whose it is, and whether its lines contain it (TAX-2).
-- Locks: invoice, for as long as its rows are looked at. Undo: drop the columns and put the old check back.
ALTER TABLE invoice
    ADD COLUMN tax_name text NOT NULL DEFAULT '',
    ADD COLUMN tax_country text NOT NULL DEFAULT '',
    ADD COLUMN tax_region text NOT NULL DEFAULT '',
    ADD COLUMN tax_inclusive boolean NOT NULL DEFAULT false,
    DROP CONSTRAINT IF EXISTS invoice_adds_up,
    -- The total is the sum of what is shown: a tax that the lines contain is not added again (INV-8).
    ADD CONSTRAINT invoice_adds_up CHECK (
        total = subtotal + CASE WHEN tax_inclusive THEN 0 ELSE tax_amount END),
    ADD CONSTRAINT invoice_tax_check CHECK (tax_percent <= 100 AND tax_amount BETWEEN 0 AND total);
