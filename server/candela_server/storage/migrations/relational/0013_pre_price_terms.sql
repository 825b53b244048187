-- Discounts, time rules and minimum commitments of prices (DSL-4, DSL-10), terms of trial plans (TRL-1), and the
-- filters of metrics (EVT-5).
-- Locks: each ALTER takes ACCESS EXCLUSIVE for a moment; defaults are constants, so no table is rewritten. The new
-- CHECKs read the plan and metric tables once, thousands of rows at most. The running release neither reads nor writes
-- the columns, and of a price it changes nothing. Undo: drop the trigger, its function and the columns.
--
-- Amounts inside jsonb are texts, never JSON numbers, so that they stay exact.

ALTER TABLE price
    ADD COLUMN discounts jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN minimum_commitment jsonb;

ALTER TABLE price_component
    ADD COLUMN discounts jsonb NOT NULL DEFAULT '[]',
    ADD COLUMN time_rules jsonb NOT NULL DEFAULT '[]';

-- A plan is a trial exactly when it says where it leads to and after how many days.
ALTER TABLE plan
    ADD COLUMN trial_parent_plan_id text COLLATE "C",
    ADD COLUMN trial_days integer CHECK (trial_days BETWEEN 1 AND 365),
    ADD FOREIGN KEY (merchant_id, trial_parent_plan_id) REFERENCES plan,
    ADD CHECK ((trial_parent_plan_id IS NULL) = (trial_days IS NULL)),
    ADD CHECK (trial_parent_plan_id <> id),
    ADD CHECK (trial_parent_plan_id IS NULL OR NOT is_enterprise_plan);

ALTER TABLE metric
    ADD COLUMN unique_of text CHECK (unique_of IN ('property', 'user', 'customer')),
    ADD COLUMN filters jsonb NOT NULL DEFAULT '[]';

-- A price never changes but for being archived, once, whoever tries (CAT-5).
CREATE FUNCTION candela_freeze_price() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) - 'archived_at' <> to_jsonb(OLD) - 'archived_at'
       OR (OLD.archived_at IS NOT NULL AND NEW.archived_at IS DISTINCT FROM OLD.archived_at) THEN
        RAISE EXCEPTION 'price % never changes', OLD.id;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER price_frozen BEFORE UPDATE ON price
    FOR EACH ROW EXECUTE FUNCTION candela_freeze_price();
