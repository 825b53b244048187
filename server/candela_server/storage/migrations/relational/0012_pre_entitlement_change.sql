-- What may have changed of whose entitlements, and in which transaction: what a Watch that was interrupted must be
-- told (ENT-8). Rows are only ever added, one per transaction and customer, so that no two writers wait for each
-- other here; housekeeping takes away what is older than any resume token.
-- Locks: none on existing tables. Undo: drop the table.

CREATE TABLE entitlement_change (
    merchant_id text COLLATE "C" NOT NULL,
    -- Empty: every customer of the merchant.
    customer_id text COLLATE "C" NOT NULL,
    -- Seen by every snapshot whose xmin is greater.
    changed_xid bigint NOT NULL,
    changed_at  timestamptz NOT NULL,
    PRIMARY KEY (merchant_id, customer_id, changed_xid)
);
CREATE INDEX entitlement_change_by_order ON entitlement_change (merchant_id, changed_xid) INCLUDE (customer_id);
CREATE INDEX entitlement_change_by_age ON entitlement_change USING brin (changed_at);
SELECT candela_wall('entitlement_change', 'SELECT, INSERT');
SELECT candela_system_reads('entitlement_change', 'SELECT, DELETE');
