-- The walls around a finalized invoice's lines stand once per statement instead of once per row: a billing run writes
-- thousands of lines in one. EXECUTE plans them anew each time, for what the tables hold by then: a plan that was made
-- while they were empty reads all of them for every row, for as long as its connection lives.

CREATE FUNCTION candela_close_invoice_lines() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    closed text;
BEGIN
    -- An invoice that is made and finalized in one transaction gets its lines in it, and never again.
    EXECUTE 'SELECT min(i.id) FROM written JOIN invoice i
             ON i.merchant_id = written.merchant_id AND i.id = written.invoice_id
             WHERE i.status <> ''draft'' AND i.xmin <> pg_current_xact_id()::xid' INTO closed;
    IF closed IS NOT NULL THEN
        RAISE EXCEPTION 'invoice % is finalized and gets no more lines', closed;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION candela_keep_invoice_lines() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    closed text;
BEGIN
    EXECUTE 'SELECT min(i.id) FROM deleted JOIN invoice i
             ON i.merchant_id = deleted.merchant_id AND i.id = deleted.invoice_id
             WHERE i.status <> ''draft''' INTO closed;
    IF closed IS NOT NULL THEN
        RAISE EXCEPTION 'invoice % is finalized and its lines never change', closed;
    END IF;
    RETURN NULL;
END $$;

DROP TRIGGER invoice_line_closed ON invoice_line;
CREATE TRIGGER invoice_line_closed AFTER INSERT ON invoice_line
    REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION candela_close_invoice_lines();

DROP TRIGGER invoice_line_frozen ON invoice_line;
CREATE TRIGGER invoice_line_frozen BEFORE UPDATE ON invoice_line
    FOR EACH ROW EXECUTE FUNCTION candela_freeze_invoice_line();
CREATE TRIGGER invoice_line_kept AFTER DELETE ON invoice_line
    REFERENCING OLD TABLE AS deleted FOR EACH STATEMENT EXECUTE FUNCTION candela_keep_invoice_lines();
