-- As version 2, and further: the item must not have been taken back from the consent.
CREATE OR REPLACE FUNCTION consents.permitted_subjects(item text) RETURNS SETOF uuid
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
      AND NOT EXISTS (
          SELECT FROM consents.item_withdrawal w
          WHERE w.consent_id = c.id AND w.item_code = permitted_subjects.item)
      AND EXISTS (
          SELECT FROM catalogue.item i
          LEFT JOIN catalogue.item_standard s ON s.item_code = i.code AND s.item_version = i.version
          CROSS JOIN consents.purpose_policy p
          JOIN parties.party r ON r.kind = ANY (p.receiver_kinds)
          WHERE i.code = permitted_subjects.item
            AND i.access_class <> 'forbidden'
            AND i.valid_from <= (access.business_at() AT TIME ZONE 'Asia/Shanghai')::date
            AND (i.valid_to IS NULL OR (access.business_at() AT TIME ZONE 'Asia/Shanghai')::date < i.valid_to)
            AND p.purpose = current_setting('app.purpose', true)
            AND p.valid_from <= (access.business_at() AT TIME ZONE 'Asia/Shanghai')::date
            AND (p.valid_to IS NULL OR (access.business_at() AT TIME ZONE 'Asia/Shanghai')::date < p.valid_to)
            AND (i.code = ANY (p.item_codes) OR s.category = ANY (p.categories))
            AND r.id = nullif(current_setting('app.receiver_id', true), '')::uuid)
$$;
