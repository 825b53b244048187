-- A plan version has one way in and one way on: it begins as a draft, gets its features and credits as a draft, is
-- published, is archived. Published terms never change, whoever tries and however (CAT-3).
-- The older triggers saw changes and deletions but not rows that are added, moved in, or sold again after archiving.
-- Locks: SHARE ROW EXCLUSIVE on plan_version, plan_version_feature and credit_definition, for a moment; the index
-- takes SHARE on plan_version while it reads all of it, a fraction of a second for a million versions.
-- CreatePlan used to store its version as published; no release did, so nothing that runs is refused by this.
-- Undo: drop the new triggers, functions and the index, revoke DELETE, and run 0004's two functions and triggers again.

CREATE OR REPLACE FUNCTION candela_freeze_plan_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.status <> 'draft' THEN
            RAISE EXCEPTION 'plan version % must begin as a draft, not %', NEW.id, NEW.status;
        END IF;
    ELSIF (NEW.id, NEW.plan_id, NEW.number) IS DISTINCT FROM (OLD.id, OLD.plan_id, OLD.number) THEN
        RAISE EXCEPTION 'which version plan version % is never changes', OLD.id;
    ELSIF OLD.status = 'draft' AND NEW.status = 'archived' THEN
        RAISE EXCEPTION 'plan version % is a draft and was never sold', OLD.id;
    ELSIF OLD.status <> 'draft' AND (
        to_jsonb(NEW) - 'status' <> to_jsonb(OLD) - 'status'
        OR NOT (NEW.status = OLD.status OR NEW.status = 'archived')
    ) THEN
        RAISE EXCEPTION 'plan version % is published and never changes', OLD.id;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER plan_version_begins_as_draft BEFORE INSERT ON plan_version
    FOR EACH ROW EXECUTE FUNCTION candela_freeze_plan_version();

-- Raises unless the version is a draft; the version stays one until the transaction ends.
CREATE FUNCTION candela_require_draft(of_merchant text, version_id text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    found_status text;
BEGIN
    SELECT v.status INTO found_status FROM plan_version v
    WHERE v.merchant_id = of_merchant AND v.id = version_id FOR SHARE;
    IF found_status IS DISTINCT FROM 'draft' THEN
        RAISE EXCEPTION 'plan version % is published and never changes', version_id;
    END IF;
END $$;

CREATE OR REPLACE FUNCTION candela_freeze_plan_version_feature() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        PERFORM candela_require_draft(OLD.merchant_id, OLD.plan_version_id);
    END IF;
    IF TG_OP <> 'DELETE' THEN
        PERFORM candela_require_draft(NEW.merchant_id, NEW.plan_version_id);
    END IF;
    RETURN COALESCE(NEW, OLD);
END $$;
CREATE TRIGGER plan_version_feature_added BEFORE INSERT ON plan_version_feature
    FOR EACH ROW EXECUTE FUNCTION candela_freeze_plan_version_feature();

-- A definition's terms never change; it is added to a draft, goes with it, or is archived once.
CREATE FUNCTION candela_freeze_credit_definition() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF to_jsonb(NEW) - 'archived_at' <> to_jsonb(OLD) - 'archived_at' OR OLD.archived_at IS NOT NULL THEN
            RAISE EXCEPTION 'credit definition % never changes, but for being archived once', OLD.id;
        END IF;
        RETURN NEW;
    ELSIF TG_OP = 'DELETE' THEN
        PERFORM candela_require_draft(OLD.merchant_id, OLD.plan_version_id);
        RETURN OLD;
    ELSIF NEW.plan_version_id IS NOT NULL THEN
        PERFORM candela_require_draft(NEW.merchant_id, NEW.plan_version_id);
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER credit_definition_frozen BEFORE INSERT OR UPDATE OR DELETE ON credit_definition
    FOR EACH ROW EXECUTE FUNCTION candela_freeze_credit_definition();
GRANT DELETE ON credit_definition TO candela_app;

-- The version on sale is the one that was published last; so no two of a plan are published at the same instant.
CREATE UNIQUE INDEX plan_version_by_publication ON plan_version (merchant_id, plan_id, published_at)
    WHERE published_at IS NOT NULL;
