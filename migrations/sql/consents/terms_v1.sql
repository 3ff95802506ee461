-- When each consent for an item began and ended, and how long what is read under it may be kept: the word of the policy
-- of its day where the consent itself does not say. Whoever asks sees the consents that row-level security shows it.
-- Without a search path of its own, so that a look for one subject is planned as one along the index.
CREATE FUNCTION consents.terms(item text)
RETURNS TABLE (consent_id uuid, subject_id uuid, names_platform boolean, granted_at timestamptz, ended_at timestamptz,
               life_days integer)
LANGUAGE sql STABLE ROWS 1000 AS $$
    SELECT c.id, c.subject_id, '00000000-0000-7000-8000-000000000001'::uuid = ANY (c.receiver_ids), c.granted_at,
           least(c.expires_at, c.revoked_at, w.withdrawn_at),
           coalesce(c.data_life_days, p.most_data_life_days, 0)
    FROM consents.consent AS c
    LEFT JOIN consents.item_withdrawal AS w ON w.consent_id = c.id AND w.item_code = terms.item
    LEFT JOIN consents.purpose_policy AS p
      ON p.purpose = c.purpose
     AND p.valid_from <= (c.granted_at AT TIME ZONE 'Asia/Shanghai')::date
     AND (p.valid_to IS NULL OR (c.granted_at AT TIME ZONE 'Asia/Shanghai')::date < p.valid_to)
    WHERE terms.item = ANY (c.item_codes)
$$;
REVOKE EXECUTE ON FUNCTION consents.terms(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION consents.terms(text) TO xinyidai_app, xinyidai_worker, xinyidai_auditor;
