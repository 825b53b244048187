-- Pricing tables: which plans a public page shows, in which order (PUB-1).
-- Locks: none on existing tables. Undo: drop the tables in reverse order.

CREATE TABLE pricing_table (
    merchant_id text COLLATE "C" NOT NULL REFERENCES merchant,
    id          text COLLATE "C" NOT NULL,
    slug        text COLLATE "C" NOT NULL CHECK (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND length(slug) <= 64),
    name        text NOT NULL,
    created_at  timestamptz NOT NULL,
    archived_at timestamptz,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT pricing_table_slug_key UNIQUE (merchant_id, slug)
);
CREATE INDEX pricing_table_by_age ON pricing_table (merchant_id, created_at, id);
SELECT candela_wall('pricing_table', 'SELECT, INSERT, UPDATE');

CREATE TABLE pricing_table_row (
    merchant_id             text COLLATE "C" NOT NULL,
    pricing_table_id        text COLLATE "C" NOT NULL,
    position                integer NOT NULL CHECK (position >= 0),
    plan_id                 text COLLATE "C" NOT NULL,
    popular                 boolean NOT NULL,
    enterprise_redirect_url text NOT NULL DEFAULT '' CHECK (enterprise_redirect_url ~ '^(https://.*)?$'),
    PRIMARY KEY (merchant_id, pricing_table_id, position),
    FOREIGN KEY (merchant_id, pricing_table_id) REFERENCES pricing_table,
    FOREIGN KEY (merchant_id, plan_id) REFERENCES plan,
    UNIQUE (merchant_id, pricing_table_id, plan_id)
);
SELECT candela_wall('pricing_table_row', 'SELECT, INSERT, DELETE');
