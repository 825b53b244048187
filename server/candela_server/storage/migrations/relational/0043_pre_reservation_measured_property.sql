-- Which property of the usage event holds the quantity, for metrics that sum a property (ENT-9, EVT-5).
-- Locks: entitlement_reservation, a moment. Undo: drop the column.

-- NULL: the event's own value does, as it did for all before.
ALTER TABLE entitlement_reservation ADD COLUMN measured_property text COLLATE "C";
