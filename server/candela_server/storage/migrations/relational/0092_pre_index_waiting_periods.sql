-- Checks and invoices look for what a customer's terms that ended have left to be billed: of most there is nothing
-- (SUB-6, ENT-4).
CREATE INDEX component_schedule_waiting
    ON component_schedule (merchant_id, subscription_id) WHERE price_id IS NOT NULL;
