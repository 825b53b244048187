-- Invoices of ended subscriptions that were voided of late: what they gave back of usage is to be given back again, and no
-- invoice comes that would find it (INV-6, EVT-9).
-- Locks: SHARE on invoice while the index is built over void invoices, which are few. Undo: drop the index.

CREATE INDEX invoice_voided ON invoice (merchant_id, ended_at) WHERE status = 'void';
