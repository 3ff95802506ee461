-- Opening an account is idempotent by its code; the same code for another book, owner or limit is refused.
CREATE FUNCTION ledger.open_account(
    p_tenant text, p_book text, p_code text, p_owner_id uuid, p_floor_fen bigint, p_ceiling_fen bigint
) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_known record;
    v_id bigint;
BEGIN
    FOR v_try IN 1..2 LOOP
        SELECT account.id, account.book, account.owner_id, account.floor_fen, account.ceiling_fen INTO v_known
        FROM ledger.account WHERE account.tenant = p_tenant AND account.code = p_code;
        IF FOUND THEN
            IF (v_known.book, v_known.owner_id, v_known.floor_fen, v_known.ceiling_fen)
                IS DISTINCT FROM (p_book, p_owner_id, p_floor_fen, p_ceiling_fen) THEN
                RAISE EXCEPTION 'account_code_taken: %', p_code USING ERRCODE = 'LG012';
            END IF;
            RETURN v_known.id;
        END IF;
        INSERT INTO ledger.account AS a
            (tenant, book, code, owner_id, floor_fen, ceiling_fen, balance_fen, version, is_closed)
        VALUES (p_tenant, p_book, p_code, p_owner_id, p_floor_fen, p_ceiling_fen, 0, 0, false)
        ON CONFLICT (tenant, code) DO NOTHING RETURNING a.id INTO v_id;
        IF v_id IS NOT NULL THEN
            RETURN v_id;
        END IF;
    END LOOP;
    RAISE EXCEPTION 'account_code_taken: %', p_code USING ERRCODE = 'LG012';
END
$$;

CREATE FUNCTION ledger.close_account(p_tenant text, p_account_id bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_known record;
BEGIN
    SELECT account.balance_fen INTO v_known
    FROM ledger.account WHERE account.id = p_account_id AND account.tenant = p_tenant FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'account_unknown: %', p_account_id USING ERRCODE = 'LG004';
    ELSIF v_known.balance_fen <> 0 THEN
        RAISE EXCEPTION 'account_not_empty: %', p_account_id USING ERRCODE = 'LG013', DETAIL = p_account_id;
    END IF;
    UPDATE ledger.account SET is_closed = true WHERE account.id = p_account_id;
END
$$;

REVOKE EXECUTE ON FUNCTION ledger.open_account(text, text, text, uuid, bigint, bigint) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION ledger.close_account(text, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.open_account(text, text, text, uuid, bigint, bigint) TO xinyidai_app, xinyidai_worker;
GRANT EXECUTE ON FUNCTION ledger.close_account(text, bigint) TO xinyidai_app, xinyidai_worker;
