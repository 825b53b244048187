-- What was counted last in a civil year, of series of documents that begin again with each (INV-4). Series that go on for
-- ever keep their own counters, so that the release before this one numbers on while both run.
-- Who comes from another system lets a series begin with a number of their own: `begun_after` is the one before that, and
-- as long as it is the last one the series is empty.
-- Locks: invoice_counter and credit_note_counter for an instant each. Undo: drop the table, when no merchant counts by
-- years, and the columns.

ALTER TABLE invoice_counter ADD COLUMN begun_after bigint NOT NULL DEFAULT 0 CHECK (begun_after >= 0);
ALTER TABLE credit_note_counter ADD COLUMN begun_after bigint NOT NULL DEFAULT 0 CHECK (begun_after >= 0);

CREATE TABLE yearly_counter (
    merchant_id text COLLATE "C" NOT NULL REFERENCES merchant,
    series      text NOT NULL CHECK (series IN ('invoice', 'credit_note')),
    year        integer NOT NULL CHECK (year > 0),
    last_number bigint NOT NULL CHECK (last_number >= begun_after),
    begun_after bigint NOT NULL DEFAULT 0 CHECK (begun_after >= 0),
    PRIMARY KEY (merchant_id, series, year)
);
SELECT candela_wall('yearly_counter', 'SELECT, INSERT, UPDATE');
