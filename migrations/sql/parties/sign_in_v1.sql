-- What must be looked up before a viewer exists. Row-level security hides people and memberships from everyone but
-- their own organisation, and nobody may read credentials at all; these functions run as the owner and each answers for
-- one person only, so that a stolen web role cannot list people or password hashes.
CREATE FUNCTION parties.credential_of(sought_email text)
RETURNS TABLE (user_id uuid, password_hash text, failures int, locked_until timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = ''
BEGIN ATOMIC
    SELECT c.user_id, c.password_hash, c.failures, c.locked_until
    FROM parties.credential c JOIN parties.platform_user u ON u.id = c.user_id
    WHERE u.email = sought_email;
END;

-- Counts one attempt under the row's lock and says whether it may pass: a right password that comes while the account
-- is locked does not. The count starts anew when a lock has run out. Wall time comes from the caller.
CREATE FUNCTION parties.settle_attempt(
    sought_user uuid, is_right boolean, wall_at timestamptz, max_failures int, lock_for interval
) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = ''
AS $$
DECLARE
    held parties.credential%ROWTYPE;
    counted int;
BEGIN
    SELECT * INTO STRICT held FROM parties.credential c WHERE c.user_id = sought_user FOR UPDATE;
    IF held.locked_until > wall_at THEN
        RETURN false;
    END IF;
    counted := CASE WHEN is_right THEN 0 WHEN held.locked_until IS NOT NULL THEN 1 ELSE held.failures + 1 END;
    UPDATE parties.credential c
    SET failures = counted, locked_until = CASE WHEN counted >= max_failures THEN wall_at + lock_for END
    WHERE c.user_id = sought_user;
    RETURN is_right;
END
$$;

CREATE FUNCTION parties.change_password_hash(sought_user uuid, new_hash text) RETURNS void
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = ''
BEGIN ATOMIC
    UPDATE parties.credential c SET password_hash = new_hash, failures = 0, locked_until = NULL
    WHERE c.user_id = sought_user;
END;

CREATE FUNCTION parties.memberships_of(sought_user uuid)
RETURNS TABLE (party_id uuid, party_kind text, party_name text, roles text[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = ''
BEGIN ATOMIC
    SELECT m.party_id, p.kind::text, p.name::text, m.roles::text[]
    FROM parties.membership m JOIN parties.party p ON p.id = m.party_id
    WHERE m.user_id = sought_user AND m.ended_at IS NULL
    ORDER BY m.party_id;
END;

CREATE FUNCTION parties.user_id_of(sought_email text) RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = ''
BEGIN ATOMIC
    SELECT u.id FROM parties.platform_user u WHERE u.email = sought_email;
END;

REVOKE ALL ON FUNCTION parties.credential_of, parties.settle_attempt, parties.change_password_hash,
    parties.memberships_of, parties.user_id_of FROM PUBLIC;
GRANT EXECUTE ON FUNCTION parties.credential_of, parties.settle_attempt, parties.change_password_hash,
    parties.memberships_of, parties.user_id_of TO xinyidai_app, xinyidai_worker;
