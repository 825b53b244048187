-- Features, metrics, plans with append-only versions, prices, credit definitions (CAT, DSL, CRD-3).
-- Locks: none on existing tables. Undo: drop the tables in reverse order, then the function.
--
-- Amounts inside jsonb are texts, never JSON numbers, so that they stay exact.

CREATE TABLE metric (
    merchant_id text COLLATE "C" NOT NULL REFERENCES merchant,
    id          text COLLATE "C" NOT NULL,
    slug        text COLLATE "C" NOT NULL CHECK (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND length(slug) <= 64),
    name        text NOT NULL,
    aggregation text NOT NULL
                CHECK (aggregation IN ('count', 'sum', 'average', 'max', 'min', 'last', 'unique')),
    event_names text[] NOT NULL CHECK (cardinality(event_names) >= 1),
    property    text,
    unit_name   text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL,
    archived_at timestamptz,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT metric_slug_key UNIQUE (merchant_id, slug)
);
SELECT candela_wall('metric', 'SELECT, INSERT, UPDATE');

CREATE TABLE feature (
    merchant_id   text COLLATE "C" NOT NULL REFERENCES merchant,
    id            text COLLATE "C" NOT NULL,
    slug          text COLLATE "C" NOT NULL CHECK (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND length(slug) <= 64),
    name          text NOT NULL,
    description   text NOT NULL DEFAULT '',
    type          text NOT NULL CHECK (type IN ('boolean', 'number', 'string')),
    default_value jsonb NOT NULL,
    metric_id     text COLLATE "C",
    created_at    timestamptz NOT NULL,
    disabled_at   timestamptz,
    archived_at   timestamptz,
    PRIMARY KEY (merchant_id, id),
    FOREIGN KEY (merchant_id, metric_id) REFERENCES metric,
    CONSTRAINT feature_slug_key UNIQUE (merchant_id, slug)
);
SELECT candela_wall('feature', 'SELECT, INSERT, UPDATE');

CREATE TABLE plan (
    merchant_id        text COLLATE "C" NOT NULL REFERENCES merchant,
    id                 text COLLATE "C" NOT NULL,
    slug               text COLLATE "C" NOT NULL CHECK (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND length(slug) <= 64),
    name               text NOT NULL,
    description        text NOT NULL DEFAULT '',
    is_enterprise_plan boolean NOT NULL,
    publicly_visible   boolean NOT NULL,
    metadata           jsonb NOT NULL DEFAULT '{}',
    created_at         timestamptz NOT NULL,
    archived_at        timestamptz,
    PRIMARY KEY (merchant_id, id),
    CONSTRAINT plan_slug_key UNIQUE (merchant_id, slug)
);
SELECT candela_wall('plan', 'SELECT, INSERT, UPDATE');

CREATE TABLE plan_version (
    merchant_id  text COLLATE "C" NOT NULL,
    id           text COLLATE "C" NOT NULL,
    plan_id      text COLLATE "C" NOT NULL,
    number       integer NOT NULL CHECK (number >= 1),
    status       text NOT NULL CHECK (status IN ('draft', 'published', 'archived')),
    message      text NOT NULL DEFAULT '',
    author       text NOT NULL DEFAULT '',
    created_at   timestamptz NOT NULL,
    published_at timestamptz,
    PRIMARY KEY (merchant_id, id),
    FOREIGN KEY (merchant_id, plan_id) REFERENCES plan,
    UNIQUE (merchant_id, plan_id, number),
    CHECK ((status = 'draft') = (published_at IS NULL))
);
SELECT candela_wall('plan_version', 'SELECT, INSERT, UPDATE');

CREATE TABLE plan_version_feature (
    merchant_id     text COLLATE "C" NOT NULL,
    plan_version_id text COLLATE "C" NOT NULL,
    feature_id      text COLLATE "C" NOT NULL,
    position        integer NOT NULL,
    value           jsonb NOT NULL,
    limit_behavior  text CHECK (limit_behavior IN ('hard', 'soft', 'overage')),
    limit_scope     text NOT NULL CHECK (limit_scope IN ('customer', 'user')),
    PRIMARY KEY (merchant_id, plan_version_id, feature_id),
    FOREIGN KEY (merchant_id, plan_version_id) REFERENCES plan_version,
    FOREIGN KEY (merchant_id, feature_id) REFERENCES feature
);
SELECT candela_wall('plan_version_feature', 'SELECT, INSERT, UPDATE, DELETE');

-- A published version never changes but for being archived, whoever tries (CAT-3).
CREATE FUNCTION candela_freeze_plan_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status <> 'draft' AND (
        to_jsonb(NEW) - 'status' <> to_jsonb(OLD) - 'status' OR NEW.status = 'draft'
    ) THEN
        RAISE EXCEPTION 'plan version % is published and never changes', OLD.id;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER plan_version_frozen BEFORE UPDATE ON plan_version
    FOR EACH ROW EXECUTE FUNCTION candela_freeze_plan_version();

CREATE FUNCTION candela_freeze_plan_version_feature() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (
        SELECT FROM plan_version v
        WHERE v.merchant_id = OLD.merchant_id AND v.id = OLD.plan_version_id AND v.status <> 'draft'
    ) THEN
        RAISE EXCEPTION 'plan version % is published and never changes', OLD.plan_version_id;
    END IF;
    RETURN COALESCE(NEW, OLD);
END $$;
CREATE TRIGGER plan_version_feature_frozen BEFORE UPDATE OR DELETE ON plan_version_feature
    FOR EACH ROW EXECUTE FUNCTION candela_freeze_plan_version_feature();

CREATE TABLE price (
    merchant_id         text COLLATE "C" NOT NULL,
    id                  text COLLATE "C" NOT NULL,
    plan_id             text COLLATE "C" NOT NULL,
    name                text NOT NULL DEFAULT '',
    currency            text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    private_customer_id text COLLATE "C",
    created_at          timestamptz NOT NULL,
    archived_at         timestamptz,
    PRIMARY KEY (merchant_id, id),
    FOREIGN KEY (merchant_id, plan_id) REFERENCES plan,
    FOREIGN KEY (merchant_id, private_customer_id) REFERENCES customer
);
CREATE INDEX price_by_plan ON price (merchant_id, plan_id, created_at, id);
SELECT candela_wall('price', 'SELECT, INSERT, UPDATE');

CREATE TABLE price_component (
    merchant_id     text COLLATE "C" NOT NULL,
    id              text COLLATE "C" NOT NULL,
    price_id        text COLLATE "C" NOT NULL,
    position        integer NOT NULL,
    name            text NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('fixed', 'per_unit', 'usage')),
    recurrence_rule text NOT NULL,
    own_time_zone   text,
    timing          text NOT NULL CHECK (timing IN ('in_advance', 'in_arrears')),
    metric_id       text COLLATE "C",
    charge          jsonb NOT NULL,
    seats           jsonb,
    PRIMARY KEY (merchant_id, id),
    FOREIGN KEY (merchant_id, price_id) REFERENCES price,
    FOREIGN KEY (merchant_id, metric_id) REFERENCES metric,
    UNIQUE (merchant_id, price_id, position),
    CHECK ((kind = 'usage') = (metric_id IS NOT NULL)),
    CHECK (kind <> 'usage' OR timing = 'in_arrears')
);
SELECT candela_wall('price_component', 'SELECT, INSERT');

CREATE TABLE credit_definition (
    merchant_id        text COLLATE "C" NOT NULL REFERENCES merchant,
    id                 text COLLATE "C" NOT NULL,
    name               text NOT NULL,
    scope              text NOT NULL CHECK (scope IN ('component', 'price', 'plan', 'merchant')),
    application_type   text NOT NULL CHECK (application_type IN ('usage', 'monetary')),
    plan_id            text COLLATE "C",
    plan_version_id    text COLLATE "C",
    price_id           text COLLATE "C",
    component_id       text COLLATE "C",
    feature_id         text COLLATE "C",
    metric_id          text COLLATE "C",
    default_amount     numeric NOT NULL CHECK (default_amount > 0),
    refill_amount      numeric NOT NULL CHECK (refill_amount >= 0),
    currency           text CHECK (currency ~ '^[A-Z]{3}$'),
    renew_on_billing   boolean NOT NULL,
    renewal_rule       text,
    billing_visible    boolean NOT NULL,
    basis              text NOT NULL CHECK (basis IN ('customer', 'seat')),
    expires_after      interval,
    rollover_cap       numeric NOT NULL DEFAULT 0 CHECK (rollover_cap >= 0),
    priority           integer NOT NULL DEFAULT 0,
    created_at         timestamptz NOT NULL,
    archived_at        timestamptz,
    PRIMARY KEY (merchant_id, id),
    FOREIGN KEY (merchant_id, plan_id) REFERENCES plan,
    FOREIGN KEY (merchant_id, plan_version_id) REFERENCES plan_version,
    FOREIGN KEY (merchant_id, price_id) REFERENCES price,
    FOREIGN KEY (merchant_id, component_id) REFERENCES price_component,
    FOREIGN KEY (merchant_id, feature_id) REFERENCES feature,
    FOREIGN KEY (merchant_id, metric_id) REFERENCES metric,
    CHECK ((scope = 'merchant') = (plan_id IS NULL)),
    CHECK ((application_type = 'monetary') = (currency IS NOT NULL)),
    CHECK ((application_type = 'usage') = (metric_id IS NOT NULL))
);
CREATE INDEX credit_definition_by_version ON credit_definition (merchant_id, plan_version_id);
SELECT candela_wall('credit_definition', 'SELECT, INSERT, UPDATE');
