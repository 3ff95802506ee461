-- An account begins open and empty under a plain code, and is never deleted. Its balance has no trigger: nobody but the owner's functions may update
-- it, its checks hold against everyone, and ledger.check_entries ties every entry to it.
CREATE FUNCTION ledger.guard_account() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'INSERT' AND NEW.balance_fen = 0 AND NEW.version = 0 AND NOT NEW.is_closed
        AND NEW.code ~ '^[a-z][a-z0-9_.:-]{0,199}$' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'guard_account: % on ledger.account is refused', TG_OP USING ERRCODE = 'restrict_violation';
END
$$;
REVOKE EXECUTE ON FUNCTION ledger.guard_account() FROM PUBLIC;

CREATE TRIGGER account_begins_empty BEFORE INSERT OR DELETE ON ledger.account
    FOR EACH ROW EXECUTE FUNCTION ledger.guard_account();
CREATE TRIGGER account_no_truncate BEFORE TRUNCATE ON ledger.account
    FOR EACH STATEMENT EXECUTE FUNCTION ledger.guard_account();
ALTER TABLE ledger.account ENABLE ALWAYS TRIGGER account_begins_empty;
ALTER TABLE ledger.account ENABLE ALWAYS TRIGGER account_no_truncate;
