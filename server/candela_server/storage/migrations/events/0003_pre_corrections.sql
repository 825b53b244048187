-- Events that come with a backfill, and the one place that says which events count (EVT-4). Both layouts.
--
-- Locks: event for a moment for the column; then its writers while event_by_time is built, some seconds per million
-- events: on a large table build the index by hand before (CREATE INDEX CONCURRENTLY on each partition or chunk).
-- Undo: drop the view, the indexes and the column.

ALTER TABLE event ADD COLUMN backfill_id text COLLATE "C";

-- By time alone: for corrections over all customers, and to find the event of a key. Events come nearly in order, so
-- it grows at its end.
CREATE INDEX IF NOT EXISTS event_by_time ON event (merchant_id, happened_at);
CREATE INDEX event_by_backfill ON event (merchant_id, backfill_id, happened_at) WHERE backfill_id IS NOT NULL;

-- The events that count. Whatever adds up usage reads this and never the table: an event counts unless it came with a
-- backfill that does not count at its instant, or was voided: for good, or by a backfill that counts at its instant.
CREATE VIEW counted_event WITH (security_invoker = true) AS
SELECT merchant_id, customer_id, name, happened_at, value, user_id, key_hash, idempotency_key, properties,
       received_at, backfill_id
FROM event
WHERE (event.backfill_id IS NULL OR EXISTS (
          SELECT FROM backfill
          WHERE backfill.merchant_id = event.merchant_id AND backfill.id = event.backfill_id
            AND backfill.counted_from_at <= event.happened_at AND event.happened_at < backfill.counted_until_at))
  AND NOT EXISTS (
          SELECT FROM event_void AS void
          LEFT JOIN backfill ON backfill.merchant_id = void.merchant_id AND backfill.id = void.backfill_id
          WHERE void.merchant_id = event.merchant_id AND void.key_hash = event.key_hash
            AND void.happened_at = event.happened_at AND void.came_with = coalesce(event.backfill_id, '')
            AND (void.backfill_id IS NULL
                 OR (backfill.counted_from_at <= void.happened_at AND void.happened_at < backfill.counted_until_at))
          -- Keeps this one look into the index per event. As a join it would be planned by what is known of how many
          -- events are voided, which is wrong right after many were.
          OFFSET 0);
REVOKE ALL ON counted_event FROM PUBLIC;
GRANT SELECT ON counted_event TO candela_events;
