-- Prices that vary another one by a component, for one subscription alone (SUB-6).
--
-- Locks: ACCESS EXCLUSIVE on price and price_component for a moment, for columns whose defaults are constants, and while
-- the foreign keys are added: no row has one yet. Undo: drop the columns while no price varies another.

ALTER TABLE price
    -- The price that was sold, of which this one is a variation; absent for those that are sold themselves.
    ADD COLUMN varies_price_id text COLLATE "C",
    -- The components that it shares with the price before it; its own are in price_component.
    ADD COLUMN kept_component_ids text[] COLLATE "C" NOT NULL DEFAULT '{}',
    ADD FOREIGN KEY (merchant_id, varies_price_id) REFERENCES price,
    -- A variation is held by a subscription, and never sold.
    ADD CHECK (varies_price_id IS NULL OR (private_customer_id IS NOT NULL AND archived_at IS NOT NULL)),
    ADD CHECK (varies_price_id IS NOT NULL OR kept_component_ids = '{}');

ALTER TABLE price_component
    -- The component that was sold, whose place this one takes: credits that pay for the one pay for the other.
    ADD COLUMN varies_component_id text COLLATE "C",
    ADD FOREIGN KEY (merchant_id, varies_component_id) REFERENCES price_component;
