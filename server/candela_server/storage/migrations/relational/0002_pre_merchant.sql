-- Merchants, their API keys and test clocks (KEY-1, KEY-2, OPS-2).
-- Locks: none on existing tables. Undo: drop the three tables, test_clock and api_key first.

CREATE TABLE merchant (
    merchant_id      text COLLATE "C" PRIMARY KEY,
    name             text NOT NULL CHECK (name <> ''),
    mode             text NOT NULL CHECK (mode IN ('live', 'test')),
    time_zone        text NOT NULL,
    default_currency text NOT NULL CHECK (default_currency ~ '^[A-Z]{3}$'),
    settings         jsonb NOT NULL,
    created_at       timestamptz NOT NULL,
    version          bigint NOT NULL CHECK (version >= 1)
);
SELECT candela_wall('merchant', 'SELECT, INSERT, UPDATE');
SELECT candela_system_reads('merchant', 'SELECT');

CREATE TABLE api_key (
    merchant_id     text COLLATE "C" NOT NULL REFERENCES merchant,
    id              text COLLATE "C" NOT NULL,
    name            text NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('secret', 'publishable')),
    prefix          text NOT NULL,
    scopes          text[] NOT NULL,
    -- SHA-256 of the whole key; the key itself is kept only when it is publishable.
    key_hash        bytea NOT NULL CHECK (length(key_hash) = 32),
    publishable_key text,
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz,
    revoked_at      timestamptz,
    last_used_at    timestamptz,
    replaced_by_id  text COLLATE "C",
    PRIMARY KEY (merchant_id, id),
    CHECK ((kind = 'publishable') = (publishable_key IS NOT NULL)),
    CONSTRAINT api_key_key_hash_key UNIQUE (key_hash)
);
SELECT candela_wall('api_key', 'SELECT, INSERT, UPDATE');
SELECT candela_system_reads('api_key', 'SELECT, UPDATE');

CREATE TABLE test_clock (
    merchant_id text COLLATE "C" NOT NULL REFERENCES merchant,
    id          text COLLATE "C" NOT NULL,
    name        text NOT NULL,
    now_at      timestamptz NOT NULL,
    target_at   timestamptz,
    status      text NOT NULL CHECK (status IN ('ready', 'advancing', 'failed')),
    failure     text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL,
    archived_at timestamptz,
    PRIMARY KEY (merchant_id, id),
    CHECK ((status = 'advancing') = (target_at IS NOT NULL))
);
SELECT candela_wall('test_clock', 'SELECT, INSERT, UPDATE');
SELECT candela_system_reads('test_clock', 'SELECT');
