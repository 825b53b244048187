-- Further grants of a definition for a period that has begun are told apart by a number of their own, so that each says
-- exactly when it begins (CRD-5); they began a microsecond earlier than the one before. The running release grants with
-- the number 0, which the wider constraint allows, and names it as before.
-- Locks: credit_grant for about a second per million rows while its unique constraint is built anew. Undo: put the old
-- constraint back while no grant has another number than 0, and drop the column.

ALTER TABLE credit_grant ADD COLUMN ordinal integer NOT NULL DEFAULT 0 CHECK (ordinal >= 0);

ALTER TABLE credit_grant DROP CONSTRAINT credit_grant_once_per_period,
    ADD CONSTRAINT credit_grant_once_per_period
        UNIQUE (merchant_id, definition_id, subscription_id, effective_at, funding, ordinal);
