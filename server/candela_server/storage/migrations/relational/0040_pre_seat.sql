-- Which users hold a subscription's seats, and held them (SEAT-4).
-- Locks: none on existing tables. Undo: drop the table.

CREATE TABLE seat (
    merchant_id     text COLLATE "C" NOT NULL,
    id              text COLLATE "C" NOT NULL,
    subscription_id text COLLATE "C" NOT NULL,
    -- Follows the subscription to another price.
    component_id    text COLLATE "C" NOT NULL,
    user_id         text COLLATE "C" NOT NULL,
    assigned_at     timestamptz NOT NULL,
    released_at     timestamptz,
    PRIMARY KEY (merchant_id, id),
    FOREIGN KEY (merchant_id, subscription_id) REFERENCES subscription,
    FOREIGN KEY (merchant_id, component_id) REFERENCES price_component,
    CHECK (released_at IS NULL OR assigned_at <= released_at)
);
-- A user holds one seat of a component at a time.
CREATE UNIQUE INDEX seat_once ON seat (merchant_id, subscription_id, component_id, user_id) WHERE released_at IS NULL;
CREATE INDEX seat_of_subscription ON seat (merchant_id, subscription_id, assigned_at, id);
SELECT candela_wall('seat', 'SELECT, INSERT, UPDATE');
