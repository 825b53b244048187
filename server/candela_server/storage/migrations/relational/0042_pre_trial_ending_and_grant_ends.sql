-- What a trial ends in for who has no payment method (TRL-2): as its plan says, and as was asked for when it began. And
-- a customer's grants by when they end, so that billing reads those that can still pay and not all there ever were.
--
-- What was asked for is kept with the change that waits for the trial's end, in its JSON. Trials from before say nothing,
-- and are canceled then.
--
-- Locks: ACCESS EXCLUSIVE on plan for a moment; the columns have no default, and the constraints are checked against
-- plans, of which there are few; SHARE on credit_grant while the index is built, so that nothing is granted meanwhile:
-- about a second per million grants. Undo: drop the columns and the index.

ALTER TABLE plan
    ADD COLUMN trial_end_behavior text CHECK (trial_end_behavior IN ('cancel', 'pause', 'downgrade_to_free')),
    -- The free plan that remains.
    ADD COLUMN trial_end_plan_id text COLLATE "C",
    ADD FOREIGN KEY (merchant_id, trial_end_plan_id) REFERENCES plan,
    ADD CHECK (trial_end_behavior IS NULL OR trial_days IS NOT NULL),
    ADD CHECK ((trial_end_plan_id IS NOT NULL) = (coalesce(trial_end_behavior, '') = 'downgrade_to_free')),
    ADD CHECK (trial_end_plan_id <> id);

CREATE INDEX credit_grant_by_end ON credit_grant (merchant_id, customer_id, expires_at, id);
