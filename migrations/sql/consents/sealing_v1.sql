-- Which transaction gave and which revoked a consent is the database's word: nobody can backdate an act behind the sealed
-- blocks by writing it. After consent_only_revoke by name, which lets nobody else touch these columns.
CREATE FUNCTION consents.stamp_act() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'INSERT' THEN
        NEW.xid := pg_current_xact_id();
    END IF;
    NEW.revoked_xid := CASE WHEN NEW.state = 'revoked' THEN pg_current_xact_id() END;
    RETURN NEW;
END
$$;
CREATE TRIGGER consent_stamp_act BEFORE INSERT OR UPDATE ON consents.consent
    FOR EACH ROW EXECUTE FUNCTION consents.stamp_act();
ALTER TABLE consents.consent ENABLE ALWAYS TRIGGER consent_stamp_act;

-- The leaves of the stream consents.act: what was agreed to, its revocation, and items taken back. JSON text keeps
-- neighbouring columns apart; moments go in as their eight bytes, since their text depends on the reader's time zone.
-- The third part is empty unless someone revoked a consent past the triggers: verify then names it as slipped in.
CREATE VIEW consents.sealable_act WITH (security_invoker = true) AS
SELECT
    'consent:' || c.id AS ref,
    c.xid,
    sha256(convert_to(jsonb_build_array(
        c.id, c.subject_id, c.subject_kind, c.purpose, c.item_codes, c.receiver_ids, c.granted_by,
        encode(timestamptz_send(c.granted_at), 'hex'), encode(timestamptz_send(c.expires_at), 'hex'),
        c.text_version, encode(c.text_digest, 'hex'), c.data_life_days, c.xid::text
    )::text, 'UTF8')) AS leaf
FROM consents.consent AS c
UNION ALL
SELECT
    'revocation:' || c.id,
    c.revoked_xid,
    sha256(convert_to(jsonb_build_array(
        c.id, encode(timestamptz_send(c.revoked_at), 'hex'), c.revoked_by, c.revoked_xid::text
    )::text, 'UTF8'))
FROM consents.consent AS c
WHERE c.state = 'revoked' AND c.revoked_xid IS NOT NULL
UNION ALL
SELECT 'revocation:' || c.id, '0'::xid8, ''::bytea
FROM consents.consent AS c
WHERE c.state = 'revoked' AND c.revoked_xid IS NULL
UNION ALL
SELECT
    'withdrawal:' || w.consent_id || '/' || w.item_code,
    w.xid,
    sha256(convert_to(jsonb_build_array(
        w.consent_id, w.item_code, encode(timestamptz_send(w.withdrawn_at), 'hex'), w.withdrawn_by, w.xid::text
    )::text, 'UTF8'))
FROM consents.item_withdrawal AS w;
