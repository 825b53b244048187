-- Checks and invoices look for what terms that ended have left to be billed of a customer: of most there is nothing
-- (SUB-6, ENT-4).
-- Locks: SHARE on component_schedule while the index is built. Undo: drop the index.

CREATE INDEX component_schedule_waiting
    ON component_schedule (merchant_id, subscription_id) WHERE price_id IS NOT NULL;
