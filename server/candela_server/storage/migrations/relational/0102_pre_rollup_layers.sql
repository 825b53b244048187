-- Rollups in layers, so that a long transaction elsewhere does not slow ingestion down (EVT-3, EVT-7).
--
-- Each flush updates the rollups of its customers, and an update leaves the old version of its row behind. As a rule it
-- is removed with the next ones; while somebody's snapshot is old (a backup, a report, a slow ANALYZE) it is not, and
-- each update goes through all that have piled up under its key: after twenty seconds at 30,000 events a second flushes
-- took five times as long. So a writer whose old versions stay begins new rows, in the next layer: a rollup is the sum
-- of its layers. Nearly always there is one, and the worker merges the others into it once their quarter-hour is over.
--
-- Locks: ACCESS EXCLUSIVE on the three tables while their primary keys are built anew, some seconds per million rollups.
-- Servers of before cannot write events once this has run: replace them at once.
-- Undo: merge the layers, create the primary keys as migration 0005 does, and drop the columns and the function.

ALTER TABLE usage_rollup
    ADD COLUMN layer integer NOT NULL DEFAULT 0 CHECK (layer >= 0),
    DROP CONSTRAINT usage_rollup_pkey,
    ADD PRIMARY KEY (merchant_id, customer_id, metric_id, user_id, dimension, bucket_at, layer);
-- What is to be merged; nearly always empty.
CREATE INDEX usage_rollup_upper ON usage_rollup (merchant_id, metric_id, bucket_at) WHERE layer > 0;
ALTER TABLE usage_rollup ALTER COLUMN layer SET STATISTICS 10;

ALTER TABLE unmatched_event_name
    ADD COLUMN layer integer NOT NULL DEFAULT 0 CHECK (layer >= 0),
    DROP CONSTRAINT unmatched_event_name_pkey,
    ADD PRIMARY KEY (merchant_id, name, layer);
GRANT DELETE ON unmatched_event_name TO candela_events;

-- The layer that the writer's next flush adds to. In the key, so that the writer's own row is found beside its old
-- versions as well.
ALTER TABLE event_writer
    ADD COLUMN layer integer NOT NULL DEFAULT 0 CHECK (layer >= 0),
    DROP CONSTRAINT event_writer_pkey,
    ADD PRIMARY KEY (number, layer);

-- Counts the flush of a writer that adds to a layer, `of_layer` until now, and holds the metrics of its merchants as they
-- are until the transaction ends; answers how many flushes the writer has counted, and where its row is now, which shows
-- whether old versions of it stay. `versions` are the metric versions that the flush has folded by. Fails with CF001 when
-- the writer is forgotten, and with CF002, the merchant as its detail, when metrics have changed.
CREATE FUNCTION candela_begin_flush(
    of_writer bigint, of_layer integer, to_layer integer, at_instant timestamptz, merchant_ids text[], versions bigint[],
    OUT counted bigint, OUT page bigint, OUT slot integer
)
    LANGUAGE plpgsql AS $$
DECLARE
    held bigint;
    place tid;
BEGIN
    UPDATE event_writer SET sequence = sequence + 1, flushed_at = at_instant, layer = to_layer
    WHERE number = of_writer AND layer = of_layer
    RETURNING sequence, ctid INTO counted, place;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'writer % is forgotten', of_writer USING ERRCODE = 'CF001';
    END IF;
    page := (place::text::point)[0];
    slot := (place::text::point)[1];
    -- In the order of the merchants, as all flushes take them; each as candela_hold_metrics does.
    FOR i IN 1 .. cardinality(merchant_ids) LOOP
        PERFORM pg_advisory_xact_lock_shared(212131344, hashtext(merchant_ids[i]));
        SELECT version INTO held FROM metric_version WHERE merchant_id = merchant_ids[i] FOR SHARE;
        IF NOT FOUND THEN
            PERFORM candela_hold_metrics(merchant_ids[i : i]);
            SELECT version INTO held FROM metric_version WHERE merchant_id = merchant_ids[i];
        END IF;
        IF held <> versions[i] THEN
            RAISE EXCEPTION 'the metrics of % have changed', merchant_ids[i]
                USING ERRCODE = 'CF002', DETAIL = merchant_ids[i];
        END IF;
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION candela_begin_flush(bigint, integer, integer, timestamptz, text[], bigint[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION candela_begin_flush(bigint, integer, integer, timestamptz, text[], bigint[])
    TO candela_events;
DROP FUNCTION candela_begin_flush(bigint, timestamptz, text[], bigint[]);
