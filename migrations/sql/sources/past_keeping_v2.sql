-- Firms and items of which something is held that may not be kept any more, but for what a loan or a dispute holds: the
-- job looks at those. No consent in force covers it, and, on consent: the data life of every consent to the platform
-- under which it was held is over, or the catalogue's retention is; open: the catalogue's retention is over. What the
-- catalogue lists no more has no retention.
-- Which tables are looked into is told first, by one statement that the session plans once: on most days none is.
CREATE OR REPLACE FUNCTION sources.past_keeping(p_at timestamptz) RETURNS TABLE (firm_id uuid, item_code text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_table record;
BEGIN
    FOR v_table IN
        WITH listed AS (
            SELECT t.facts, t.kinds[1] AS code, coalesce(i.access_class = 'open', false) AS is_open,
                   make_interval(days => coalesce(i.retention_days, 0)) AS retention
            FROM sources.fact_tables() AS t
            LEFT JOIN catalogue.item AS i ON i.code = t.kinds[1]
             AND i.valid_from <= (p_at AT TIME ZONE 'Asia/Shanghai')::date
             AND (i.valid_to IS NULL OR (p_at AT TIME ZONE 'Asia/Shanghai')::date < i.valid_to)
        )
        SELECT l.* FROM listed AS l
        WHERE CASE WHEN l.is_open THEN EXISTS (
                SELECT FROM sources.delivery AS d WHERE d.item_code = l.code AND d.received_at + l.retention <= p_at
            ) ELSE EXISTS (
                SELECT FROM consents.terms(l.code) AS t GROUP BY t.subject_id
                HAVING NOT bool_or(t.granted_at <= p_at AND p_at < t.ended_at)
            ) END
    LOOP
        IF v_table.is_open THEN
            RETURN QUERY EXECUTE format($query$
                SELECT DISTINCT b.firm_id, %1$L
                FROM sources.delivery AS d CROSS JOIN LATERAL unnest(d.firm_ids) AS b (firm_id)
                WHERE d.item_code = %1$L AND d.received_at + $2 <= $1
                  AND EXISTS (SELECT FROM sources.%2$I AS f WHERE f.firm_id = b.firm_id AND f.delivery_no = d.no)
                  AND NOT EXISTS (SELECT FROM consents.terms(%1$L) AS t
                                  WHERE t.subject_id = b.firm_id AND t.granted_at <= $1 AND $1 < t.ended_at)
            $query$, v_table.code, v_table.facts) USING p_at, v_table.retention;
        ELSE
            -- Of the consents whose data life goes on, the last to end covers what any of them does. A delivery's facts
            -- were learned at one moment: one probe of the key a delivery tells what a walk over all facts would.
            RETURN QUERY EXECUTE format($query$
                WITH ended AS (
                    SELECT t.subject_id, max(t.ended_at) FILTER (
                        WHERE t.names_platform AND t.ended_at + make_interval(days => t.life_days) > $1) AS covered_until
                    FROM consents.terms(%1$L) AS t
                    GROUP BY t.subject_id HAVING NOT bool_or(t.granted_at <= $1 AND $1 < t.ended_at)
                )
                SELECT e.subject_id, %1$L
                FROM ended AS e
                WHERE EXISTS (
                    WITH RECURSIVE held AS (
                        (SELECT f.delivery_no, f.recorded_at FROM sources.%2$I AS f
                         WHERE f.firm_id = e.subject_id ORDER BY f.delivery_no LIMIT 1)
                        UNION ALL
                        SELECT n.delivery_no, n.recorded_at FROM held AS h CROSS JOIN LATERAL (
                            SELECT f.delivery_no, f.recorded_at FROM sources.%2$I AS f
                            WHERE f.firm_id = e.subject_id AND f.delivery_no > h.delivery_no
                            ORDER BY f.delivery_no LIMIT 1) AS n
                    )
                    SELECT FROM held AS h
                    WHERE h.recorded_at + $2 <= $1 OR e.covered_until IS NULL OR h.recorded_at >= e.covered_until)
            $query$, v_table.code, v_table.facts) USING p_at, v_table.retention;
        END IF;
    END LOOP;
END
$$;
