-- Weighted sums and groups of metrics (EVT-5): what their rollups need besides.
-- Locks: ACCESS EXCLUSIVE on metric and usage_rollup for a moment; the defaults are constants, so nothing is rewritten.
-- The new CHECKs read the metric table once, thousands of rows at most. The running release neither reads nor writes
-- the columns, and no metric needs them until this one defines it. Undo: drop the table and the columns, and put the
-- old CHECK back.

ALTER TABLE metric
    ADD COLUMN group_by text[] NOT NULL DEFAULT '{}' CHECK (cardinality(group_by) <= 3),
    DROP CONSTRAINT metric_aggregation_check,
    ADD CONSTRAINT metric_aggregation_check CHECK (
        aggregation IN ('count', 'sum', 'average', 'max', 'min', 'last', 'unique', 'weighted_sum'));

-- For weighted sums alone: each value times the microseconds from the bucket's start to its event. With value_sum it
-- says how long everything was held until any later instant: value_sum * (instant - bucket_at) - value_time.
ALTER TABLE usage_rollup ADD COLUMN value_time numeric NOT NULL DEFAULT 0;

-- The groups of a metric with group-by properties that are kept apart for a customer. A rollup's dimension is '' for
-- all groups together, one of these, or '*' for every group that found no place here. A group that has its place keeps
-- it for ever, and one that found none never gets one: so an event's dimension can be told at any time from the event
-- and this table. dimension is the hash of the values, because an index row would not hold the longest ones.
CREATE TABLE usage_group (
    merchant_id  text COLLATE "C" NOT NULL,
    customer_id  text COLLATE "C" NOT NULL,
    metric_id    text COLLATE "C" NOT NULL,
    dimension    text COLLATE "C" NOT NULL CHECK (dimension ~ '^[0-9a-f]{32}$'),
    group_values jsonb NOT NULL CHECK (jsonb_typeof(group_values) = 'array'),
    PRIMARY KEY (merchant_id, customer_id, metric_id, dimension)
);
SELECT candela_wall('usage_group', 'SELECT');
CREATE POLICY usage_group_events ON usage_group TO candela_events USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON usage_group TO candela_events;
