-- Entries are checked as a statement, on what was really stored: whoever inserts, a statement brings one journal with all
-- its legs, which number 1..n, balance in each book, and follow the journal and the accounts as they stand. A second
-- statement cannot add to a journal, since its legs would begin at 1 again. Immediate and not deferred, so that a test
-- that rolls back meets it too; always, so that session_replication_role does not switch it off. It holds what foreign
-- keys would and more, which is why the table has none: they would lock eight rows more a journal.
CREATE FUNCTION ledger.check_entries() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_hashjoin = off AS $$
DECLARE
    v_stored record;
BEGIN
    SELECT
        sum(each.legs) AS legs, min(each.first_leg) AS first_leg, max(each.last_leg) AS last_leg,
        min(each.first_id) AS first_id, max(each.last_id) AS last_id,
        bool_and(each.total_fen = 0) AS balances, bool_and(each.follows) AS follows
    INTO v_stored
    FROM (
        SELECT
            count(*) AS legs, min(added.leg) AS first_leg, max(added.leg) AS last_leg,
            min(added.journal_id) AS first_id, max(added.journal_id) AS last_id,
            sum(added.amount_fen) AS total_fen,
            bool_and(account.id IS NOT NULL AND journal.id IS NOT NULL AND account.tenant = journal.tenant
                AND account.book = added.book AND account.version = added.account_version
                AND account.balance_fen = added.balance_after_fen) AS follows
        FROM added
        LEFT JOIN ledger.journal ON journal.id = added.journal_id
        LEFT JOIN ledger.account ON account.id = added.account_id
        GROUP BY added.book
    ) AS each;
    IF v_stored.legs IS NULL THEN
        RETURN NULL;
    ELSIF NOT v_stored.balances OR v_stored.legs < 2 OR v_stored.first_leg <> 1 OR v_stored.last_leg <> v_stored.legs THEN
        RAISE EXCEPTION 'unbalanced_journal: journal % does not sum to zero in each book', v_stored.first_id
            USING ERRCODE = 'LG001';
    ELSIF v_stored.first_id <> v_stored.last_id OR NOT v_stored.follows THEN
        RAISE EXCEPTION 'posting_refused: entries of journal % do not follow their accounts', v_stored.first_id
            USING ERRCODE = 'LG002', DETAIL = 'entries astray';
    END IF;
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION ledger.check_entries() FROM PUBLIC;

CREATE TRIGGER entry_check_entries AFTER INSERT ON ledger.entry
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION ledger.check_entries();
ALTER TABLE ledger.entry ENABLE ALWAYS TRIGGER entry_check_entries;
