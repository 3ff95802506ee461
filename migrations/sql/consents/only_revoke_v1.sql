-- A consent is evidence: the only change it ever sees is its revocation, once.
CREATE FUNCTION consents.only_revoke() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'UPDATE' OR OLD.state = 'revoked' OR NEW.state <> 'revoked'
       OR (OLD.id, OLD.subject_id, OLD.subject_kind, OLD.purpose, OLD.item_codes, OLD.receiver_ids, OLD.granted_by,
           OLD.granted_at, OLD.expires_at, OLD.text_version, OLD.text_digest)
          IS DISTINCT FROM
          (NEW.id, NEW.subject_id, NEW.subject_kind, NEW.purpose, NEW.item_codes, NEW.receiver_ids, NEW.granted_by,
           NEW.granted_at, NEW.expires_at, NEW.text_version, NEW.text_digest) THEN
        RAISE EXCEPTION 'append_only: a consent may only be revoked, once' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER consent_only_revoke BEFORE UPDATE OR DELETE ON consents.consent
    FOR EACH ROW EXECUTE FUNCTION consents.only_revoke();
CREATE TRIGGER consent_no_truncate BEFORE TRUNCATE ON consents.consent
    FOR EACH STATEMENT EXECUTE FUNCTION foundation.refuse_change();
ALTER TABLE consents.consent ENABLE ALWAYS TRIGGER consent_only_revoke;
ALTER TABLE consents.consent ENABLE ALWAYS TRIGGER consent_no_truncate;
