-- Statistics of events come from a small sample, on TimescaleDB: see relational/0101 (EVT-3). Chunks have it from the
-- hypertable, those that are there as well as those that are made later.
--
-- Locks: SHARE UPDATE EXCLUSIVE on event and its chunks for a moment, which no reader or writer waits for.
-- Undo: SET STATISTICS -1 on the columns.

SELECT candela_sample_little('event');
