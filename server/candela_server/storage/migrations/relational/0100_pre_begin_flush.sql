-- A flush begins with statements of one merchant each, which are planned once per connection: those over an array were
-- planned anew for each flush, which took longer than running them (EVT-3).
--
-- Locks: none. Undo: create the function as migration 0099 does.

CREATE OR REPLACE FUNCTION candela_begin_flush(
    of_writer bigint, at_instant timestamptz, merchant_ids text[], versions bigint[]
) RETURNS bigint
    LANGUAGE plpgsql AS $$
DECLARE
    counted bigint;
    held bigint;
BEGIN
    UPDATE event_writer SET sequence = sequence + 1, flushed_at = at_instant WHERE number = of_writer
    RETURNING sequence INTO counted;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'writer % is forgotten', of_writer USING ERRCODE = 'CF001';
    END IF;
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
    RETURN counted;
END $$;
