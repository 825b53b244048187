-- Metrics of a present state, such as how many projects there are (EVT-5): a window's usage begins with what stood
-- before it, so limits on them do not start again with a period (ENT-4).
-- Locks: ACCESS EXCLUSIVE on metric for a moment; the default is a constant, so nothing is rewritten, and the CHECK
-- reads thousands of rows at most. The running release neither reads nor writes the column, and no metric needs it
-- until this one defines it. Undo: drop the column.

ALTER TABLE metric
    ADD COLUMN gauge boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT metric_gauge_check CHECK (
        NOT gauge OR (aggregation IN ('sum', 'last') AND cardinality(group_by) = 0));
