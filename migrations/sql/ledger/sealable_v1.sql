-- The leaves of the streams ledger.journal and ledger.entry. JSON text keeps neighbouring columns apart; moments go in as
-- their eight bytes, since their text depends on the reader's time zone. Row-level security is the reader's.
CREATE VIEW ledger.sealable_journal WITH (security_invoker = true) AS
SELECT
    'journal:' || j.id AS ref,
    j.xid,
    sha256(convert_to(jsonb_build_array(
        j.id, j.tenant, j.idem_key, encode(j.req_hash, 'hex'), j.kind, encode(date_send(j.effective_on), 'hex'),
        encode(timestamptz_send(j.recorded_at), 'hex'), j.maker_id, j.checker_id, j.subject, j.reversal_of, j.xid::text
    )::text, 'UTF8')) AS leaf
FROM ledger.journal AS j;

-- An entry carries its journal's transaction. The second part is empty unless someone removed a journal from under its
-- entries: they are then still shown, so that verify names the journal alone as missing.
CREATE VIEW ledger.sealable_entry WITH (security_invoker = true) AS
SELECT
    'journal:' || e.journal_id || '/leg:' || e.leg AS ref,
    j.xid,
    sha256(convert_to(jsonb_build_array(
        e.journal_id, e.leg, e.account_id, e.book, e.amount_fen, e.balance_after_fen, e.account_version
    )::text, 'UTF8')) AS leaf
FROM ledger.entry AS e JOIN ledger.journal AS j ON j.id = e.journal_id
UNION ALL
SELECT
    'journal:' || e.journal_id || '/leg:' || e.leg,
    '0'::xid8,
    sha256(convert_to(jsonb_build_array(
        e.journal_id, e.leg, e.account_id, e.book, e.amount_fen, e.balance_after_fen, e.account_version
    )::text, 'UTF8'))
FROM ledger.entry AS e
WHERE NOT EXISTS (SELECT 1 FROM ledger.journal AS j WHERE j.id = e.journal_id);
