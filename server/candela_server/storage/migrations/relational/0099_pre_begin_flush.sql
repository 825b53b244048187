-- How a flush of events begins, in one statement that fails where the flush must not go on: so that all the rest of a
-- small one can be sent behind it, without waiting for what it says (EVT-3).
--
-- Locks: none. Undo: drop the functions, after servers of this release are gone.

-- Keeps the metrics of these merchants from changing until the transaction ends.
CREATE FUNCTION candela_hold_metrics(merchant_ids text[]) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    held integer;
BEGIN
    -- 0x0CA4DE10 is metering/store.py's FLUSH_TURN: whoever wants a merchant's row alone queues there, and so do we.
    PERFORM pg_advisory_xact_lock_shared(212131344, hashtext(merchant_id))
    FROM unnest(merchant_ids) AS one (merchant_id);
    PERFORM FROM metric_version WHERE merchant_id = ANY (merchant_ids) ORDER BY merchant_id FOR SHARE;
    GET DIAGNOSTICS held = ROW_COUNT;
    IF held < cardinality(merchant_ids) THEN
        INSERT INTO metric_version (merchant_id, version)
        SELECT one.merchant_id, 0 FROM unnest(merchant_ids) AS one (merchant_id)
        ON CONFLICT (merchant_id) DO NOTHING;
        PERFORM FROM metric_version WHERE merchant_id = ANY (merchant_ids) ORDER BY merchant_id FOR SHARE;
    END IF;
END $$;
REVOKE ALL ON FUNCTION candela_hold_metrics(text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION candela_hold_metrics(text[]) TO candela_events;

-- Counts the flush of a writer, and holds the metrics of its merchants as they are until the transaction ends; answers
-- how many flushes the writer has counted. `versions` are the metric versions that the flush has folded by. Fails with
-- CF001 when the writer is forgotten, and with CF002, the merchant as its detail, when metrics have changed.
CREATE FUNCTION candela_begin_flush(
    of_writer bigint, at_instant timestamptz, merchant_ids text[], versions bigint[]
) RETURNS bigint
    LANGUAGE plpgsql AS $$
DECLARE
    counted bigint;
    changed text;
BEGIN
    UPDATE event_writer SET sequence = sequence + 1, flushed_at = at_instant WHERE number = of_writer
    RETURNING sequence INTO counted;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'writer % is forgotten', of_writer USING ERRCODE = 'CF001';
    END IF;
    PERFORM candela_hold_metrics(merchant_ids);
    SELECT folded.merchant_id INTO changed
    FROM unnest(merchant_ids, versions) AS folded (merchant_id, version)
    JOIN metric_version AS known ON known.merchant_id = folded.merchant_id
    WHERE known.version <> folded.version
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'the metrics of % have changed', changed USING ERRCODE = 'CF002', DETAIL = changed;
    END IF;
    RETURN counted;
END $$;
REVOKE ALL ON FUNCTION candela_begin_flush(bigint, timestamptz, text[], bigint[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION candela_begin_flush(bigint, timestamptz, text[], bigint[]) TO candela_events;

-- Fails as an index would when one of these keys was taken in the months from the oldest on, before the last one.
CREATE FUNCTION candela_expect_free_keys(keys uuid[], oldest date, before date) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM event_key WHERE key_hash = ANY (keys) AND claim_month >= oldest AND claim_month < before LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'a key is taken' USING ERRCODE = 'unique_violation';
    END IF;
END $$;
REVOKE ALL ON FUNCTION candela_expect_free_keys(uuid[], date, date) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION candela_expect_free_keys(uuid[], date, date) TO candela_events;
