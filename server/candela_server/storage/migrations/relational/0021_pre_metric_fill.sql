-- Fills: jobs that read history into a metric, step by step, with their progress (EVT-10).
--
-- metric_history goes on saying which metrics hold all history; a metric that is not named there is read from rollups
-- only as far back as its running fill has come, and from the events before that.
-- Locks: none on existing tables. Undo: drop the tables.

CREATE TABLE metric_fill (
    merchant_id     text COLLATE "C" NOT NULL REFERENCES merchant,
    id              text COLLATE "C" NOT NULL,
    metric_id       text COLLATE "C" NOT NULL,
    status          text NOT NULL CHECK (status IN ('filling', 'complete', 'failed')),
    -- The span of event timestamps that is read; the first step finds it.
    start_at        timestamptz,
    end_at          timestamptz,
    -- It goes back in time: rollups of quarter-hours from here on hold all events.
    filled_from_at  timestamptz NOT NULL,
    read_count      bigint NOT NULL DEFAULT 0,
    estimated_count bigint NOT NULL DEFAULT 0,
    failure         text,
    started_at      timestamptz NOT NULL,
    finished_at     timestamptz,
    PRIMARY KEY (merchant_id, id),
    CHECK ((status = 'filling') = (finished_at IS NULL)),
    CHECK (date_bin('15 minutes', filled_from_at, 'epoch') = filled_from_at)
);
-- A metric has one running fill, and its latest is asked for.
CREATE UNIQUE INDEX metric_fill_running ON metric_fill (merchant_id, metric_id) WHERE finished_at IS NULL;
CREATE INDEX metric_fill_latest ON metric_fill (merchant_id, metric_id, started_at, id);
SELECT candela_wall('metric_fill', 'SELECT, INSERT');
CREATE POLICY metric_fill_events ON metric_fill TO candela_events USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON metric_fill TO candela_events;

-- Up to when events were dropped for their age: of earlier instants, rollups alone still know. One row, or none.
CREATE TABLE event_retention (
    one        boolean PRIMARY KEY DEFAULT true CHECK (one),
    kept_since timestamptz NOT NULL
);
GRANT SELECT, INSERT, UPDATE ON event_retention TO candela_events;
GRANT SELECT ON event_retention TO candela_app;
