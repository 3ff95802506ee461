-- Counts one attempt under the row's lock and says whether it may pass, like settle_attempt of sign_in_v1.sql, which it
-- replaces; it knows of a second factor. Only the last proof of a sign-in clears the count: if a right password did,
-- whoever knows it could try codes without end, four at a time. Wall time comes from the caller.
DROP FUNCTION parties.settle_attempt(uuid, boolean, timestamptz, int, interval);

CREATE FUNCTION parties.settle_attempt(
    sought_user uuid, is_right boolean, is_last boolean, wall_at timestamptz, max_failures int, lock_for interval
) RETURNS boolean
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = ''
AS $$
DECLARE
    held parties.credential%ROWTYPE;
    before int;
    counted int;
BEGIN
    SELECT * INTO held FROM parties.credential c WHERE c.user_id = sought_user FOR UPDATE;
    IF NOT FOUND OR held.locked_until > wall_at THEN
        RETURN false;
    END IF;
    before := CASE WHEN held.locked_until IS NOT NULL THEN 0 ELSE held.failures END;
    counted := CASE WHEN NOT is_right THEN before + 1 WHEN is_last THEN 0 ELSE before END;
    UPDATE parties.credential c
    SET failures = counted, locked_until = CASE WHEN counted >= max_failures THEN wall_at + lock_for END
    WHERE c.user_id = sought_user;
    RETURN is_right;
END
$$;

REVOKE ALL ON FUNCTION parties.settle_attempt FROM PUBLIC;
GRANT EXECUTE ON FUNCTION parties.settle_attempt TO xinyidai_app, xinyidai_worker;
