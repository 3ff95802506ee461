-- Of the subjects that the transaction presents, all, when the catalogue lists the item as open that day: open records
-- need no consent, but nobody reads them who has not said whose and for whom.
CREATE FUNCTION sources.open_subjects(item text) RETURNS SETOF uuid
LANGUAGE sql STABLE ROWS 1000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT unnest(string_to_array(nullif(current_setting('app.subjects', true), ''), ',')::uuid[])
    WHERE nullif(current_setting('app.receiver_id', true), '') IS NOT NULL
      AND EXISTS (
          SELECT FROM catalogue.item i
          WHERE i.code = open_subjects.item
            AND i.access_class = 'open'
            AND i.valid_from <= (access.business_at() AT TIME ZONE 'Asia/Shanghai')::date
            AND (i.valid_to IS NULL OR (access.business_at() AT TIME ZONE 'Asia/Shanghai')::date < i.valid_to))
$$;

-- A record is never overwritten: the one change it may see is the moment it was superseded, once.
CREATE FUNCTION sources.only_supersede_record() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.superseded_at IS NOT NULL OR NEW.superseded_at IS NULL
       OR to_jsonb(OLD) - 'superseded_at' IS DISTINCT FROM to_jsonb(NEW) - 'superseded_at' THEN
        RAISE EXCEPTION 'append_only: a record may only be superseded, once' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;

-- One column of a leaf: absent, or its length and its bytes, so that no two rows have the same bytes.
CREATE FUNCTION sources.leaf_part(p bytea) RETURNS bytea
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN p IS NULL THEN '\x00'::bytea ELSE '\x01'::bytea || int4send(length(p)) || p END
$$;

-- The tables of facts: by which deliveries each is filled, which view has its leaves, what superseded its rows.
CREATE FUNCTION sources.fact_tables() RETURNS TABLE (kinds text[], facts text, leaves text, replaced text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT ARRAY['vat_invoice', 'correction'], 'invoice_fact', 'fact_leaf', 'SELECT * FROM sources.supersession'
    UNION ALL
    SELECT ARRAY[code], code || '_fact', code || '_leaf',
           format('SELECT * FROM sources.record_supersession WHERE item_code = %L', code)
    FROM unnest(ARRAY[
        'tax_filing', 'social_insurance', 'housing_fund', 'water', 'electricity', 'gas',
        'import_export', 'logistics', 'annual_report', 'tax_grade', 'environment', 'self_declared',
        'registration_change', 'permit', 'penalty', 'judgment', 'enforcement', 'tax_arrears',
        'intellectual_property', 'science_technology', 'tender', 'honour_list', 'commitment']) AS code
$$;

-- Seals one delivery and says how many facts; none where their number is not what was loaded, for verify to name.
CREATE OR REPLACE FUNCTION sources.seal_delivery(p_no integer, p_at timestamptz) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_delivery sources.delivery;
    v_leaves text;
    v_found bigint;
    v_sealed bigint;
BEGIN
    SELECT * INTO v_delivery FROM sources.delivery WHERE no = p_no;
    SELECT leaves INTO v_leaves FROM sources.fact_tables() WHERE v_delivery.kind = ANY (kinds);
    EXECUTE format('SELECT count(*) FROM sources.%I WHERE firm_id = ANY ($1) AND delivery_no = $2', v_leaves)
        INTO v_found USING v_delivery.firm_ids, p_no;
    IF v_delivery.loaded IS DISTINCT FROM v_found OR EXISTS (SELECT FROM sources.fact_seal WHERE delivery_no = p_no) THEN
        RETURN 0;
    END IF;
    EXECUTE format(
        'WITH sealed AS ('
        '  INSERT INTO sources.fact_seal (firm_id, delivery_no, chunk, line_nos, leaves, sealed_at)'
        '  SELECT firm_id, delivery_no, line_no / 65536, array_agg(line_no ORDER BY line_no),'
        '         string_agg(leaf, ''''::bytea ORDER BY line_no), $3'
        '  FROM sources.%I WHERE firm_id = ANY ($1) AND delivery_no = $2'
        '  GROUP BY firm_id, delivery_no, line_no / 65536'
        '  RETURNING cardinality(line_nos) AS facts)'
        ' SELECT coalesce(sum(facts), 0) FROM sealed', v_leaves)
        INTO v_sealed USING v_delivery.firm_ids, p_no, p_at;
    RETURN v_sealed;
END
$$;

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

CREATE VIEW sources.sealable_record_supersession WITH (security_invoker = true) AS
SELECT
    'record_supersession:' || s.item_code || '/' || s.firm_id || '/' || s.delivery_no || '.' || s.line_no AS ref,
    s.xid,
    sha256(
        convert_to(s.item_code, 'UTF8') || '\x00'::bytea || uuid_send(s.firm_id) || int4send(s.delivery_no)
        || int4send(s.line_no) || int4send(s.by_delivery_no) || int4send(s.by_line_no)
        || timestamptz_send(s.superseded_at) || convert_to(s.xid::text, 'UTF8')
    ) AS leaf
FROM sources.record_supersession AS s;

REVOKE EXECUTE ON FUNCTION sources.open_subjects(text), sources.fact_tables() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION sources.open_subjects(text) TO xinyidai_app, xinyidai_worker, xinyidai_auditor;
