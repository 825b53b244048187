-- Lists by a filter read what they show, however many rows there are: of a rare status, of what is not archived or not
-- replayed yet, of one action, key or request, and of a migration's failures (AUD-1, INV-1, SUB-1, EVT-11, CAT-9).
-- Locks: SHARE on each table while its index is built. Undo: drop the indexes.

CREATE INDEX invoice_by_status ON invoice (merchant_id, status, created_at, id);
CREATE INDEX subscription_version_in_force_by_status ON subscription_version (merchant_id, status, subscription_id)
    WHERE valid_to IS NULL;
CREATE INDEX customer_in_use_by_age ON customer (merchant_id, created_at, id) WHERE archived_at IS NULL;
CREATE INDEX rejected_event_waiting_by_receipt ON rejected_event (merchant_id, received_at, id)
    WHERE replayed_at IS NULL;
CREATE INDEX audit_entry_by_action ON audit_entry (merchant_id, action, at, id);
CREATE INDEX audit_entry_by_key ON audit_entry (merchant_id, key_id, at, id) WHERE key_id IS NOT NULL;
CREATE INDEX audit_entry_by_request ON audit_entry (merchant_id, request_id, at, id) WHERE request_id IS NOT NULL;
CREATE INDEX migration_result_failed ON migration_result (merchant_id, migration_id, subscription_id)
    WHERE outcome = 'failed';
