-- Which credit notes give back the days that an ended subscription had paid for and did not use (SUB-6).
-- They count as billed no more, so that nobody who looks again gives the same days back twice.
-- Locks: ACCESS EXCLUSIVE on credit_note for an instant (a constant default rewrites nothing). Undo: drop the column.

ALTER TABLE credit_note ADD COLUMN for_unused_days boolean NOT NULL DEFAULT false;
