-- What the row-level security of facts asks: of the subjects that the transaction presents, those with a consent in
-- force at the business time for the presented receiver and purpose, and for this item, which the catalogue must list.
-- Whatever the code presented, nobody passes without a row; with nothing presented nobody passes at all.
CREATE FUNCTION consents.permitted_subjects(item text) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER ROWS 1000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT DISTINCT c.subject_id
    FROM consents.consent c
    WHERE c.subject_id = ANY (string_to_array(nullif(current_setting('app.subjects', true), ''), ',')::uuid[])
      AND c.purpose = current_setting('app.purpose', true)
      AND nullif(current_setting('app.receiver_id', true), '')::uuid = ANY (c.receiver_ids)
      AND permitted_subjects.item = ANY (c.item_codes)
      AND c.state = 'active'
      AND c.granted_at <= access.business_at()
      AND access.business_at() < c.expires_at
      AND EXISTS (
          SELECT FROM catalogue.item i
          WHERE i.code = permitted_subjects.item
            AND i.access_class <> 'forbidden'
            AND i.valid_from <= (access.business_at() AT TIME ZONE 'Asia/Shanghai')::date
            AND (i.valid_to IS NULL OR (access.business_at() AT TIME ZONE 'Asia/Shanghai')::date < i.valid_to))
$$;
REVOKE EXECUTE ON FUNCTION consents.permitted_subjects(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION consents.permitted_subjects(text) TO xinyidai_app, xinyidai_worker, xinyidai_auditor;
