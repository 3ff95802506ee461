-- Say why an account did not take its leg; asked only when one did not, and under its lock, so the reason is the true one.
CREATE FUNCTION ledger.refuse_leg(p_tenant text, p_account_id bigint, p_amount_fen bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_limit CONSTANT numeric := 1000000000000000;
    v_known record;
BEGIN
    SELECT account.balance_fen, account.floor_fen, account.ceiling_fen, account.is_closed INTO v_known
    FROM ledger.account WHERE account.id = p_account_id AND account.tenant = p_tenant FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'account_unknown: %', p_account_id USING ERRCODE = 'LG004';
    ELSIF p_amount_fen IS NULL OR abs(p_amount_fen::numeric) > v_limit
        OR abs(v_known.balance_fen::numeric + p_amount_fen) > v_limit THEN
        RAISE EXCEPTION 'amount_out_of_range' USING ERRCODE = 'LG003';
    ELSIF p_amount_fen = 0 THEN
        RAISE EXCEPTION 'posting_refused: a leg is zero' USING ERRCODE = 'LG002', DETAIL = 'zero leg';
    ELSIF v_known.is_closed THEN
        RAISE EXCEPTION 'account_closed: %', p_account_id USING ERRCODE = 'LG005', DETAIL = p_account_id;
    ELSIF v_known.balance_fen + p_amount_fen < v_known.floor_fen THEN
        RAISE EXCEPTION 'floor_reached: account %', p_account_id USING ERRCODE = 'LG006', DETAIL = p_account_id;
    ELSIF v_known.balance_fen + p_amount_fen > v_known.ceiling_fen THEN
        RAISE EXCEPTION 'ceiling_reached: account %', p_account_id USING ERRCODE = 'LG007', DETAIL = p_account_id;
    END IF;
    RAISE EXCEPTION 'account % took no leg for no known reason', p_account_id;
END
$$;
REVOKE EXECUTE ON FUNCTION ledger.refuse_leg(text, bigint, bigint) FROM PUBLIC;

-- The one way into the books. In one round trip: claim the key, refuse a closed month, move the balances in id order,
-- write the legs, whose trigger sees that each book sums to zero. Whatever is refused raises, so that nothing is changed.
--
-- A key that is there already waits for the transaction that brings it; the same content gets the old journal, other
-- content is refused. With p_reversal_of the legs are the mirror of that journal's and must not be given.
--
-- One small statement a leg and not one over all: at four legs the joins of a set-based UPDATE cost more to set up than
-- the four look-ups by key.
-- Plans are made once and kept, so they must not be made for a table that was empty then: no sequential scans.
CREATE FUNCTION ledger.post(
    p_tenant text,
    p_key text,
    p_kind text,
    p_effective_on date,
    p_recorded_at timestamptz,
    p_maker_id uuid,
    p_checker_id uuid,
    p_subject jsonb,
    p_account_ids bigint[],
    p_amounts_fen bigint[],
    p_reversal_of bigint DEFAULT NULL,
    OUT journal_id bigint,
    OUT is_replayed boolean
)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    v_limit CONSTANT bigint := 1000000000000000;
    v_account_ids bigint[] := p_account_ids;
    v_amounts_fen bigint[] := p_amounts_fen;
    v_subject jsonb := p_subject;
    v_legs integer;
    v_hash bytea;
    v_known record;
    v_amount_fen bigint;
    v_previous_id bigint := 0;
    v_moved record;
    v_books text[] := '{}';
    v_balances_fen bigint[] := '{}';
    v_versions bigint[] := '{}';
BEGIN
    IF p_reversal_of IS NOT NULL THEN
        IF p_account_ids IS NOT NULL OR p_amounts_fen IS NOT NULL THEN
            RAISE EXCEPTION 'posting_refused: a reversal brings no legs' USING ERRCODE = 'LG002', DETAIL = 'legs';
        END IF;
        SELECT journal.id, journal.reversal_of, journal.subject INTO v_known
        FROM ledger.journal WHERE journal.id = p_reversal_of AND journal.tenant = p_tenant;
        IF v_known.id IS NULL THEN
            RAISE EXCEPTION 'journal_unknown: %', p_reversal_of USING ERRCODE = 'LG010';
        ELSIF v_known.reversal_of IS NOT NULL THEN
            RAISE EXCEPTION 'reversal_is_final: %', p_reversal_of USING ERRCODE = 'LG011';
        END IF;
        v_subject := v_known.subject;
        SELECT array_agg(entry.account_id ORDER BY entry.leg), array_agg(-entry.amount_fen ORDER BY entry.leg)
        INTO v_account_ids, v_amounts_fen
        FROM ledger.entry WHERE entry.journal_id = p_reversal_of;
    END IF;
    v_legs := cardinality(v_account_ids);
    IF v_legs IS NULL OR v_legs < 2 THEN
        RAISE EXCEPTION 'unbalanced_journal: fewer than two legs' USING ERRCODE = 'LG001';
    ELSIF v_legs > 1000 OR v_legs IS DISTINCT FROM cardinality(v_amounts_fen) THEN
        RAISE EXCEPTION 'posting_refused: too many legs, or as many amounts as accounts are wanted'
            USING ERRCODE = 'LG002', DETAIL = 'legs';
    END IF;

    v_hash := sha256(convert_to(jsonb_build_array(
        p_kind, p_effective_on, p_maker_id, p_checker_id, v_subject, v_account_ids, v_amounts_fen, p_reversal_of
    )::text, 'UTF8'));
    INSERT INTO ledger.journal AS j (
        tenant, idem_key, req_hash, kind, effective_on, recorded_at, maker_id, checker_id, subject, reversal_of
    ) VALUES (
        p_tenant, p_key, v_hash, p_kind, p_effective_on, p_recorded_at, p_maker_id, p_checker_id, v_subject,
        p_reversal_of
    ) ON CONFLICT (tenant, idem_key) DO NOTHING RETURNING j.id INTO journal_id;
    is_replayed := journal_id IS NULL;
    IF is_replayed THEN
        SELECT journal.id, journal.req_hash INTO v_known
        FROM ledger.journal WHERE journal.tenant = p_tenant AND journal.idem_key = p_key;
        IF v_known.req_hash IS DISTINCT FROM v_hash THEN
            RAISE EXCEPTION 'journal_key_reused: the key names journal %, which says otherwise', v_known.id
                USING ERRCODE = 'LG008';
        END IF;
        journal_id := v_known.id;
        RETURN;
    END IF;

    -- Asked after the insert, which holds off a closing in flight: close_period locks the table against writers.
    IF EXISTS (
        SELECT 1 FROM ledger.closed_period AS closed
        WHERE closed.tenant = p_tenant AND closed.month >= date_trunc('month', p_effective_on::timestamp)::date
    ) THEN
        RAISE EXCEPTION 'period_closed: %', p_effective_on USING ERRCODE = 'LG009';
    END IF;

    -- Ascending ids make deadlocks impossible and each account unique: of one given twice, one leg could be lost.
    FOR v_leg IN 1..v_legs LOOP
        v_amount_fen := v_amounts_fen[v_leg];
        IF v_account_ids[v_leg] <= v_previous_id THEN
            RAISE EXCEPTION 'posting_refused: accounts must ascend, each once'
                USING ERRCODE = 'LG002', DETAIL = 'account order';
        END IF;
        v_previous_id := v_account_ids[v_leg];
        UPDATE ledger.account AS a
        SET balance_fen = a.balance_fen + v_amount_fen, version = a.version + 1
        WHERE a.id = v_account_ids[v_leg] AND a.tenant = p_tenant AND NOT a.is_closed
            AND v_amount_fen BETWEEN -v_limit AND v_limit AND v_amount_fen <> 0
            AND a.balance_fen + v_amount_fen BETWEEN greatest(-v_limit, a.floor_fen) AND least(v_limit, a.ceiling_fen)
        RETURNING a.book, a.balance_fen, a.version INTO v_moved;
        IF NOT FOUND THEN
            PERFORM ledger.refuse_leg(p_tenant, v_account_ids[v_leg], v_amount_fen);
        END IF;
        v_books[v_leg] := v_moved.book;
        v_balances_fen[v_leg] := v_moved.balance_fen;
        v_versions[v_leg] := v_moved.version;
    END LOOP;

    INSERT INTO ledger.entry (journal_id, leg, account_id, book, amount_fen, balance_after_fen, account_version)
    SELECT post.journal_id, leg.number, leg.account_id, leg.book, leg.amount_fen, leg.balance_fen, leg.version
    FROM unnest(v_account_ids, v_books, v_amounts_fen, v_balances_fen, v_versions)
        WITH ORDINALITY AS leg (account_id, book, amount_fen, balance_fen, version, number);
END
$$;
REVOKE EXECUTE ON FUNCTION ledger.post(
    text, text, text, date, timestamptz, uuid, uuid, jsonb, bigint[], bigint[], bigint
) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger.post(
    text, text, text, date, timestamptz, uuid, uuid, jsonb, bigint[], bigint[], bigint
) TO xinyidai_app, xinyidai_worker;
