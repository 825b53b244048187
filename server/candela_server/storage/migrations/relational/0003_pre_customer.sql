-- Customers, who pay, and users, who act for them (ENT-5, ENT-7).
-- Locks: none on existing tables. Undo: drop both tables, customer_user first.

CREATE TABLE customer (
    merchant_id   text COLLATE "C" NOT NULL REFERENCES merchant,
    id            text COLLATE "C" NOT NULL,
    name          text NOT NULL CHECK (name <> ''),
    external_id   text COLLATE "C",
    email         text,
    business_name text,
    tax_id        text,
    address       jsonb,
    time_zone     text NOT NULL,
    metadata      jsonb NOT NULL DEFAULT '{}',
    test_clock_id text COLLATE "C",
    created_at    timestamptz NOT NULL,
    archived_at   timestamptz,
    PRIMARY KEY (merchant_id, id),
    FOREIGN KEY (merchant_id, test_clock_id) REFERENCES test_clock,
    CONSTRAINT customer_external_id_key UNIQUE (merchant_id, external_id)
);
CREATE INDEX customer_by_age ON customer (merchant_id, created_at, id);
CREATE INDEX customer_by_test_clock ON customer (merchant_id, test_clock_id)
    WHERE test_clock_id IS NOT NULL;
SELECT candela_wall('customer', 'SELECT, INSERT, UPDATE');

CREATE TABLE customer_user (
    merchant_id text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    customer_id text COLLATE "C" NOT NULL,
    external_id text COLLATE "C",
    name        text NOT NULL DEFAULT '',
    email       text,
    created_at  timestamptz NOT NULL,
    archived_at timestamptz,
    PRIMARY KEY (merchant_id, id),
    FOREIGN KEY (merchant_id, customer_id) REFERENCES customer,
    CONSTRAINT customer_user_external_id_key UNIQUE (merchant_id, external_id)
);
CREATE INDEX customer_user_by_customer ON customer_user (merchant_id, customer_id, created_at, id);
SELECT candela_wall('customer_user', 'SELECT, INSERT, UPDATE');
