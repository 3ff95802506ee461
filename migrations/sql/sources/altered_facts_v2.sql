-- Every fact that is not as it was sealed, by name, table by table. Chunks are compared by one hash each, in one walk
-- along the primary key; only chunks that differ are taken apart. It tells references, never what a fact says.
CREATE OR REPLACE FUNCTION sources.altered_facts() RETURNS TABLE (ref text, finding text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_table record;
BEGIN
    FOR v_table IN SELECT * FROM sources.fact_tables() LOOP
        RETURN QUERY EXECUTE format($query$
            WITH delivered AS MATERIALIZED (
                SELECT no, loaded, firm_ids FROM sources.delivery WHERE kind = ANY ($1)
            ), seal AS MATERIALIZED (
                SELECT s.* FROM sources.fact_seal AS s JOIN delivered AS d ON d.no = s.delivery_no
            ), sealed_delivery AS MATERIALIZED (
                SELECT DISTINCT delivery_no FROM seal
            ), recomputed AS (
                SELECT firm_id, delivery_no, line_no / 65536 AS chunk,
                       sha256(string_agg(leaf, ''::bytea ORDER BY line_no)) AS hash
                FROM sources.%2$I
                GROUP BY firm_id, delivery_no, line_no / 65536
            ), differing AS MATERIALIZED (
                SELECT firm_id, delivery_no, chunk
                FROM recomputed AS r FULL JOIN seal AS s USING (firm_id, delivery_no, chunk)
                WHERE r.hash IS DISTINCT FROM sha256(s.leaves)
                  AND (delivery_no IN (SELECT delivery_no FROM sealed_delivery)
                       OR NOT EXISTS (SELECT FROM delivered AS d WHERE d.no = delivery_no))
            ), sealed_leaf AS (
                SELECT s.firm_id, s.delivery_no, l.line_no, substr(s.leaves, (l.place::integer - 1) * 32 + 1, 32) AS leaf
                FROM seal AS s
                JOIN differing USING (firm_id, delivery_no, chunk)
                CROSS JOIN LATERAL unnest(s.line_nos) WITH ORDINALITY AS l (line_no, place)
            ), stored_leaf AS (
                SELECT f.firm_id, f.delivery_no, f.line_no, f.leaf
                FROM differing AS d
                JOIN sources.%2$I AS f
                  ON f.firm_id = d.firm_id AND f.delivery_no = d.delivery_no
                 AND f.line_no >= d.chunk * 65536 AND f.line_no < (d.chunk + 1) * 65536::bigint
            )
            SELECT format('%%s:%%s/%%s.%%s', %4$L, firm_id, delivery_no, line_no),
                   CASE WHEN sealed_leaf.leaf IS NULL THEN 'inserted' WHEN stored_leaf.leaf IS NULL THEN 'missing'
                        ELSE 'changed' END
            FROM sealed_leaf FULL JOIN stored_leaf USING (firm_id, delivery_no, line_no)
            WHERE sealed_leaf.leaf IS DISTINCT FROM stored_leaf.leaf
            UNION
            SELECT format('%%s:%%s/%%s.%%s', %4$L, firm_id, delivery_no, line_no), 'changed'
            FROM (SELECT firm_id, delivery_no, line_no, superseded_at FROM sources.%1$I WHERE superseded_at IS NOT NULL)
                AS f
            FULL JOIN (%3$s) AS s USING (firm_id, delivery_no, line_no)
            WHERE f.superseded_at IS DISTINCT FROM s.superseded_at
            UNION
            SELECT format('delivery:%%s', d.no), CASE WHEN n.facts < d.loaded THEN 'missing' ELSE 'inserted' END
            FROM delivered AS d
            CROSS JOIN LATERAL (
                SELECT count(*) AS facts FROM sources.%1$I AS f
                WHERE f.firm_id = ANY (d.firm_ids) AND f.delivery_no = d.no
            ) AS n
            WHERE d.no NOT IN (SELECT delivery_no FROM sealed_delivery) AND n.facts <> d.loaded
        $query$, v_table.facts, v_table.leaves, v_table.replaced, v_table.facts) USING v_table.kinds;
    END LOOP;
END
$$;
