-- Firms and items of which something is held that may not be kept any more, but for what a loan or a dispute holds: the
-- job looks at those. On consent: no consent in force, and either the data life of every consent to the platform under
-- which it was held is over, or the catalogue's retention is. Open: the catalogue's retention is over.
CREATE OR REPLACE FUNCTION sources.past_keeping(p_at timestamptz) RETURNS TABLE (firm_id uuid, item_code text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_table record;
BEGIN
    FOR v_table IN
        SELECT t.facts, t.kinds[1] AS code, i.access_class = 'open' AS is_open,
               make_interval(days => i.retention_days) AS retention
        FROM sources.fact_tables() AS t
        JOIN catalogue.item AS i ON i.code = t.kinds[1]
         AND i.valid_from <= (p_at AT TIME ZONE 'Asia/Shanghai')::date
         AND (i.valid_to IS NULL OR (p_at AT TIME ZONE 'Asia/Shanghai')::date < i.valid_to)
    LOOP
        IF v_table.is_open THEN
            RETURN QUERY EXECUTE format($query$
                SELECT DISTINCT b.firm_id, %1$L
                FROM sources.delivery AS d CROSS JOIN LATERAL unnest(d.firm_ids) AS b (firm_id)
                WHERE d.item_code = %1$L AND d.received_at + $2 <= $1
                  AND EXISTS (SELECT FROM sources.%2$I AS f WHERE f.firm_id = b.firm_id AND f.delivery_no = d.no)
            $query$, v_table.code, v_table.facts) USING p_at, v_table.retention;
        ELSE
            RETURN QUERY EXECUTE format($query$
                WITH term AS MATERIALIZED (
                    SELECT * FROM consents.terms(%1$L)
                ), ended AS (
                    SELECT subject_id FROM term GROUP BY subject_id
                    HAVING NOT bool_or(granted_at <= $1 AND $1 < ended_at)
                )
                SELECT e.subject_id, %1$L
                FROM ended AS e
                WHERE EXISTS (
                    SELECT FROM sources.%2$I AS f
                    WHERE f.firm_id = e.subject_id AND (f.recorded_at + $2 <= $1 OR NOT EXISTS (
                        SELECT FROM term AS t
                        WHERE t.subject_id = e.subject_id AND t.names_platform AND f.recorded_at < t.ended_at
                          AND t.ended_at + make_interval(days => t.life_days) > $1)))
            $query$, v_table.code, v_table.facts) USING p_at, v_table.retention;
        END IF;
    END LOOP;
END
$$;
