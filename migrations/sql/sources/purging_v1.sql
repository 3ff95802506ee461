-- Firms and items of which something is held that may not be kept any more, but for what a loan or a dispute holds: the
-- job looks at those. On consent: no consent in force, and either the data life of every consent to the platform under
-- which it was held is over, or the catalogue's retention is. Open: the catalogue's retention is over.
CREATE FUNCTION sources.past_keeping(p_at timestamptz) RETURNS TABLE (firm_id uuid, item_code text)
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

-- What is held of a firm, delivery by delivery: how many facts and, of its credit code, how many rows kept aside. Counts,
-- no fact: the platform may not look into what it is about to let go.
CREATE FUNCTION sources.held(p_firm uuid, p_code text)
RETURNS TABLE (item_code text, delivery_no integer, recorded_at timestamptz, facts bigint, aside bigint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_table record;
BEGIN
    FOR v_table IN SELECT * FROM sources.fact_tables() LOOP
        RETURN QUERY EXECUTE format($query$
            SELECT %1$L, f.delivery_no, f.recorded_at, count(*), 0::bigint
            FROM sources.%2$I AS f WHERE f.firm_id = $1 GROUP BY f.delivery_no, f.recorded_at
        $query$, v_table.kinds[1], v_table.facts) USING p_firm;
    END LOOP;
    RETURN QUERY
        SELECT d.item_code::text, d.no, d.received_at, 0::bigint, count(*)
        FROM sources.rejected_row AS r JOIN sources.delivery AS d ON d.no = r.delivery_no
        WHERE p_code <> '' AND r.content LIKE '%' || p_code || '%'
        GROUP BY d.item_code, d.no, d.received_at;
END
$$;

-- Deletes up to p_most facts of a firm in a delivery, but for the lines spared, and leaves tombstones: each deleted
-- line with its leaf as it was found, and the hash of the seal that vouches for it. Nothing goes that anybody may still
-- read under a consent, and nothing that is not sealed yet. Returns how many facts went.
CREATE FUNCTION sources.purge(
    p_firm uuid, p_item text, p_delivery integer, p_spared integer[], p_most integer, p_reason text, p_at timestamptz
) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_table record;
    v_seal sources.fact_seal;
    v_lines integer[];
    v_leaves bytea;
    v_recorded timestamptz;
    v_done integer := 0;
BEGIN
    IF NOT access.is_platform() THEN
        RAISE EXCEPTION 'only the platform purges' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF EXISTS (
        SELECT FROM consents.terms(p_item) AS t
        WHERE t.subject_id = p_firm AND t.granted_at <= p_at AND p_at < t.ended_at
    ) THEN
        RAISE EXCEPTION 'a consent in force covers %', p_item USING ERRCODE = 'restrict_violation';
    END IF;
    SELECT * INTO STRICT v_table FROM sources.fact_tables() AS t WHERE t.kinds[1] = p_item;
    FOR v_seal IN
        SELECT * FROM sources.fact_seal AS s WHERE s.firm_id = p_firm AND s.delivery_no = p_delivery ORDER BY s.chunk
    LOOP
        EXIT WHEN v_done >= p_most;
        EXECUTE format($query$
            SELECT array_agg(l.line_no ORDER BY l.line_no), string_agg(l.leaf, ''::bytea ORDER BY l.line_no)
            FROM (
                SELECT line_no, leaf FROM sources.%1$I
                WHERE firm_id = $1 AND delivery_no = $2 AND line_no >= $3 * 65536 AND line_no < ($3 + 1) * 65536::bigint
                  AND line_no <> ALL ($4)
                ORDER BY line_no LIMIT $5
            ) AS l
        $query$, v_table.leaves)
            INTO v_lines, v_leaves USING p_firm, p_delivery, v_seal.chunk, p_spared, p_most - v_done;
        CONTINUE WHEN v_lines IS NULL;
        EXECUTE format(
            'SELECT min(recorded_at) FROM sources.%I WHERE firm_id = $1 AND delivery_no = $2', v_table.facts)
            INTO v_recorded USING p_firm, p_delivery;
        INSERT INTO sources.tombstone (firm_id, delivery_no, chunk, part, item_code, line_nos, leaves, proof, reason,
                                       recorded_at, purged_at)
        SELECT p_firm, p_delivery, v_seal.chunk, 1 + coalesce(max(t.part), 0), p_item, v_lines, v_leaves,
               sha256(v_seal.leaves), p_reason, v_recorded, p_at
        FROM sources.tombstone AS t
        WHERE t.firm_id = p_firm AND t.delivery_no = p_delivery AND t.chunk = v_seal.chunk;
        EXECUTE format(
            'DELETE FROM sources.%I WHERE firm_id = $1 AND delivery_no = $2 AND line_no = ANY ($3)', v_table.facts)
            USING p_firm, p_delivery, v_lines;
        v_done := v_done + cardinality(v_lines);
    END LOOP;
    RETURN v_done;
END
$$;

-- Deletes up to p_most rows kept aside: those of one delivery that bear a credit code, or, without a code, of any
-- delivery received before a moment. They are no facts and leave nothing but the delivery's counts.
CREATE FUNCTION sources.purge_aside(p_delivery integer, p_code text, p_before timestamptz, p_most integer)
RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_done integer;
BEGIN
    IF NOT access.is_platform() THEN
        RAISE EXCEPTION 'only the platform purges' USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM set_config('sources.purging', pg_current_xact_id()::text, true);
    WITH going AS (
        SELECT r.delivery_no, r.line_no
        FROM sources.rejected_row AS r JOIN sources.delivery AS d ON d.no = r.delivery_no
        WHERE CASE WHEN p_code IS NULL THEN d.received_at < p_before
                   ELSE d.no = p_delivery AND r.content LIKE '%' || p_code || '%' END
        ORDER BY r.delivery_no, r.line_no LIMIT p_most
    )
    DELETE FROM sources.rejected_row AS r USING going AS g
    WHERE r.delivery_no = g.delivery_no AND r.line_no = g.line_no;
    GET DIAGNOSTICS v_done = ROW_COUNT;
    PERFORM set_config('sources.purging', '', true);
    RETURN v_done;
END
$$;

REVOKE EXECUTE ON FUNCTION sources.past_keeping(timestamptz), sources.held(uuid, text),
    sources.purge(uuid, text, integer, integer[], integer, text, timestamptz),
    sources.purge_aside(integer, text, timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sources.past_keeping(timestamptz),
    sources.purge(uuid, text, integer, integer[], integer, text, timestamptz),
    sources.purge_aside(integer, text, timestamptz, integer) TO xinyidai_worker;
GRANT EXECUTE ON FUNCTION sources.held(uuid, text) TO xinyidai_worker, xinyidai_app;

-- A fact goes only with its tombstone, written in the same transaction.
CREATE FUNCTION sources.only_with_tombstone() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT g.firm_id, g.delivery_no, g.line_no FROM gone AS g
        EXCEPT
        SELECT t.firm_id, t.delivery_no, unnest(t.line_nos)
        FROM sources.tombstone AS t
        WHERE t.xid = pg_current_xact_id()
          AND (t.firm_id, t.delivery_no) IN (SELECT g.firm_id, g.delivery_no FROM gone AS g)
    ) THEN
        RAISE EXCEPTION 'append_only: % on %.% is refused', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NULL;
END
$$;

-- A row kept aside goes only by the function above.
CREATE FUNCTION sources.only_purge_aside() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('sources.purging', true) = pg_current_xact_id()::text THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'append_only: % on %.% is refused', TG_OP, TG_TABLE_SCHEMA, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END
$$;

CREATE VIEW sources.sealable_tombstone WITH (security_invoker = true) AS
SELECT
    'tombstone:' || t.firm_id || '/' || t.delivery_no || '.' || t.chunk || '-' || t.part AS ref,
    t.xid,
    sha256(
        uuid_send(t.firm_id) || int4send(t.delivery_no) || int4send(t.chunk) || int4send(t.part)
        || sources.leaf_part(textsend(t.item_code)) || sources.leaf_part(textsend(t.reason))
        || timestamptz_send(t.recorded_at) || timestamptz_send(t.purged_at)
        || array_send(t.line_nos) || t.leaves || t.proof || convert_to(t.xid::text, 'UTF8')
    ) AS leaf
FROM sources.tombstone AS t;
