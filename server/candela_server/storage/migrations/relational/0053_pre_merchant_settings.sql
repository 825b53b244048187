-- A test merchant may stand on a test clock as a whole (OPS-2), and a customer may have terms of payment of its own.
-- Locks: merchant and customer for an instant each, test_clock against changes of its key while the reference is made;
-- nothing is rewritten, and the rows that exist need no check: the columns are empty.
-- Undo: drop the columns.

ALTER TABLE merchant
    ADD COLUMN test_clock_id text COLLATE "C" CHECK (mode = 'test' OR test_clock_id IS NULL),
    ADD FOREIGN KEY (merchant_id, test_clock_id) REFERENCES test_clock;

ALTER TABLE customer
    ADD COLUMN payment_terms_days integer CHECK (payment_terms_days BETWEEN 0 AND 365);
