-- As version 1, of every column there is or will be: a consent is evidence, and only its revocation is ever added, once.
CREATE OR REPLACE FUNCTION consents.only_revoke() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_revocation CONSTANT text[] := ARRAY['state', 'revoked_at', 'revoked_by'];
BEGIN
    IF TG_OP <> 'UPDATE' OR OLD.state = 'revoked' OR NEW.state <> 'revoked'
       OR to_jsonb(OLD) - v_revocation IS DISTINCT FROM to_jsonb(NEW) - v_revocation THEN
        RAISE EXCEPTION 'append_only: a consent may only be revoked, once' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
