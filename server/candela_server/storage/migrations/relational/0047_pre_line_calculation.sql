-- How a line's amount came about, for an accountant to recompute it: free units, percent, fees, bounds, days (INV-1).
-- Lines from before have none.
-- Locks: ACCESS EXCLUSIVE on invoice_line for an instant. Undo: drop the column.

ALTER TABLE invoice_line ADD COLUMN calculation jsonb;
