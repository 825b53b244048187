-- Which credit notes give back days that an ended subscription had paid for and did not use, and of which line (SUB-6).
-- These days count as billed no more, so that nobody who looks again gives them back twice. What a note takes them off
-- may be another line: the one whose own days had paid for them.
-- Locks: ACCESS EXCLUSIVE on credit_note for an instant. Undo: drop the column.

ALTER TABLE credit_note ADD COLUMN unused_days_of text COLLATE "C";
ALTER TABLE credit_note
    ADD FOREIGN KEY (merchant_id, unused_days_of) REFERENCES invoice_line (merchant_id, id) NOT VALID;
CREATE INDEX credit_note_unused_days ON credit_note (merchant_id, unused_days_of) WHERE unused_days_of IS NOT NULL;
