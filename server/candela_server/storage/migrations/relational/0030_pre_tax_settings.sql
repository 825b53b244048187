-- How a merchant's invoices are taxed; no row means as never set (TAX-2).
-- Locks: none on existing tables. Undo: drop the table.
CREATE TABLE tax_settings (
    merchant_id        text COLLATE "C" PRIMARY KEY REFERENCES merchant,
    mode               text NOT NULL CHECK (mode IN ('none', 'default_rate', 'manual_rates')),
    default_name       text NOT NULL,
    default_percent    numeric CHECK (default_percent BETWEEN 0 AND 100),
    -- [{"country": "DE", "region": "", "name": "VAT", "percent": "19"}].
    rates              jsonb NOT NULL,
    us_nexus_states    text[] NOT NULL,
    prices_include_tax boolean NOT NULL,
    seller_country     text NOT NULL,
    seller_tax_id      text NOT NULL,
    version            bigint NOT NULL CHECK (version > 0),
    CHECK (mode <> 'default_rate' OR default_percent IS NOT NULL),
    CHECK (mode = 'none' OR seller_country <> '')
);
SELECT candela_wall('tax_settings', 'SELECT, INSERT, UPDATE');
