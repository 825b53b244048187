-- Which credit notes give back usage that was taken back after a subscription had ended, of which line's period, and how
-- much less was used (EVT-9). That usage counts as billed no more, so that nobody who looks again gives it back twice.
-- What a note takes it off may be another line: the one that had paid for it.
-- Locks: ACCESS EXCLUSIVE on credit_note for an instant. Undo: drop the columns.

ALTER TABLE credit_note
    ADD COLUMN usage_of text COLLATE "C",
    ADD COLUMN usage_quantity numeric;
ALTER TABLE credit_note
    ADD FOREIGN KEY (merchant_id, usage_of) REFERENCES invoice_line (merchant_id, id) NOT VALID,
    ADD CHECK ((usage_of IS NULL) = (usage_quantity IS NULL)) NOT VALID,
    ADD CHECK (usage_of IS NULL OR unused_days_of IS NULL) NOT VALID;
CREATE INDEX credit_note_usage ON credit_note (merchant_id, usage_of) WHERE usage_of IS NOT NULL;
