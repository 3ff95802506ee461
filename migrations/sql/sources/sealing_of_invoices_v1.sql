-- The two functions as they were before there were records, for going back.
-- Seals one delivery and says how many facts; none where their number is not what was loaded, for verify to name.
CREATE FUNCTION sources.seal_delivery(p_no integer, p_at timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_delivery sources.delivery;
    v_sealed bigint;
BEGIN
    SELECT * INTO v_delivery FROM sources.delivery WHERE no = p_no;
    IF v_delivery.loaded IS DISTINCT FROM (
        SELECT count(*) FROM sources.invoice_fact
        WHERE firm_id = ANY (v_delivery.firm_ids) AND delivery_no = p_no
    ) OR EXISTS (SELECT FROM sources.fact_seal WHERE delivery_no = p_no) THEN
        RETURN 0;
    END IF;
    WITH sealed AS (
        INSERT INTO sources.fact_seal (firm_id, delivery_no, chunk, line_nos, leaves, sealed_at)
        SELECT firm_id, delivery_no, line_no / 65536, array_agg(line_no ORDER BY line_no),
               string_agg(leaf, ''::bytea ORDER BY line_no), p_at
        FROM sources.fact_leaf
        WHERE firm_id = ANY (v_delivery.firm_ids) AND delivery_no = p_no
        GROUP BY firm_id, delivery_no, line_no / 65536
        RETURNING cardinality(line_nos) AS facts
    )
    SELECT coalesce(sum(facts), 0) INTO v_sealed FROM sealed;
    RETURN v_sealed;
END
$$;

-- Every fact that is not as it was sealed, by name. Chunks are compared by one hash each, in one walk along the primary
-- key; only chunks that differ are taken apart. It tells references, never what a fact says, so any checker may call it.
CREATE FUNCTION sources.altered_facts() RETURNS TABLE (ref text, finding text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH sealed_delivery AS MATERIALIZED (
        SELECT DISTINCT delivery_no FROM sources.fact_seal
    ), recomputed AS (
        SELECT firm_id, delivery_no, line_no / 65536 AS chunk, sha256(string_agg(leaf, ''::bytea ORDER BY line_no)) AS hash
        FROM sources.fact_leaf
        GROUP BY firm_id, delivery_no, line_no / 65536
    ), differing AS MATERIALIZED (
        SELECT firm_id, delivery_no, chunk
        FROM recomputed AS r FULL JOIN sources.fact_seal AS s USING (firm_id, delivery_no, chunk)
        WHERE r.hash IS DISTINCT FROM sha256(s.leaves)
          AND (delivery_no IN (SELECT delivery_no FROM sealed_delivery)
               OR NOT EXISTS (SELECT FROM sources.delivery AS d WHERE d.no = delivery_no))
    ), sealed_leaf AS (
        SELECT s.firm_id, s.delivery_no, l.line_no, substr(s.leaves, (l.place::integer - 1) * 32 + 1, 32) AS leaf
        FROM sources.fact_seal AS s
        JOIN differing USING (firm_id, delivery_no, chunk)
        CROSS JOIN LATERAL unnest(s.line_nos) WITH ORDINALITY AS l (line_no, place)
    ), stored_leaf AS (
        SELECT f.firm_id, f.delivery_no, f.line_no, f.leaf
        FROM differing AS d
        JOIN sources.fact_leaf AS f
          ON f.firm_id = d.firm_id AND f.delivery_no = d.delivery_no
         AND f.line_no >= d.chunk * 65536 AND f.line_no < (d.chunk + 1) * 65536::bigint
    )
    SELECT format('invoice_fact:%s/%s.%s', firm_id, delivery_no, line_no),
           CASE WHEN sealed_leaf.leaf IS NULL THEN 'inserted' WHEN stored_leaf.leaf IS NULL THEN 'missing'
                ELSE 'changed' END
    FROM sealed_leaf FULL JOIN stored_leaf USING (firm_id, delivery_no, line_no)
    WHERE sealed_leaf.leaf IS DISTINCT FROM stored_leaf.leaf
    UNION
    SELECT format('invoice_fact:%s/%s.%s', firm_id, delivery_no, line_no), 'changed'
    FROM (SELECT * FROM sources.invoice_fact WHERE superseded_at IS NOT NULL) AS f
    FULL JOIN sources.supersession AS s USING (firm_id, delivery_no, line_no)
    WHERE f.superseded_at IS DISTINCT FROM s.superseded_at
    UNION
    SELECT format('delivery:%s', d.no), CASE WHEN n.facts < d.loaded THEN 'missing' ELSE 'inserted' END
    FROM sources.delivery AS d
    CROSS JOIN LATERAL (
        SELECT count(*) AS facts FROM sources.invoice_fact AS f
        WHERE f.firm_id = ANY (d.firm_ids) AND f.delivery_no = d.no
    ) AS n
    WHERE d.no NOT IN (SELECT delivery_no FROM sealed_delivery) AND n.facts <> d.loaded
$$;

REVOKE EXECUTE ON FUNCTION sources.seal_delivery(integer, timestamptz), sources.altered_facts() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sources.seal_delivery(integer, timestamptz) TO xinyidai_worker;
GRANT EXECUTE ON FUNCTION sources.altered_facts() TO xinyidai_worker, xinyidai_auditor;
