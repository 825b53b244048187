-- Another value of a feature for one subscription (SUB-8, ENT-3); a row is history once removed_at is set.
-- Locks: none on existing tables. Undo: drop the table.

CREATE TABLE feature_override (
    merchant_id     text COLLATE "C" NOT NULL,
    id              text COLLATE "C" NOT NULL,
    subscription_id text COLLATE "C" NOT NULL,
    feature_id      text COLLATE "C" NOT NULL,
    value           jsonb NOT NULL,
    -- Exclusive, on the customer's clock; NULL: until it is removed.
    expires_at      timestamptz,
    reason          text NOT NULL DEFAULT '',
    created_at      timestamptz NOT NULL,
    removed_at      timestamptz,
    PRIMARY KEY (merchant_id, id),
    FOREIGN KEY (merchant_id, subscription_id) REFERENCES subscription,
    FOREIGN KEY (merchant_id, feature_id) REFERENCES feature
);
CREATE UNIQUE INDEX feature_override_in_force ON feature_override (merchant_id, subscription_id, feature_id)
    WHERE removed_at IS NULL;
SELECT candela_wall('feature_override', 'SELECT, INSERT, UPDATE');
