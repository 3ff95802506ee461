-- Close a month and all before it. SHARE mode waits for every transaction that has inserted a journal and holds off new
-- ones until the close commits, so that posting pays nothing for the check but one look.
CREATE FUNCTION ledger.close_period(
    p_tenant text, p_month date, p_maker_id uuid, p_checker_id uuid, p_closed_at timestamptz
) RETURNS void
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    LOCK TABLE ledger.journal IN SHARE MODE;
    IF EXISTS (
        SELECT 1 FROM ledger.closed_period AS closed WHERE closed.tenant = p_tenant AND closed.month >= p_month
    ) THEN
        RAISE EXCEPTION 'period_closed: %', p_month USING ERRCODE = 'LG009';
    END IF;
    INSERT INTO ledger.closed_period (tenant, month, maker_id, checker_id, closed_at)
    VALUES (p_tenant, p_month, p_maker_id, p_checker_id, p_closed_at);
END
$$;
REVOKE EXECUTE ON FUNCTION ledger.close_period(text, date, uuid, uuid, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.close_period(text, date, uuid, uuid, timestamptz) TO xinyidai_app, xinyidai_worker;
