-- Looks a key up by the digest of its secret before any viewer exists; runs as the owner, answers for one key only and
-- notes its use at most once per `coarse`, so that busy clients do not write on every request.
CREATE FUNCTION partners.present_key(presented bytea, wall_at timestamptz, coarse interval)
RETURNS TABLE (client_id uuid, organisation_id uuid, organisation_kind text, scopes text[])
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = ''
AS $$
BEGIN
    UPDATE partners.api_client c SET last_used_at = wall_at
    WHERE c.id = (
        SELECT k.id FROM partners.api_client k
        WHERE k.secret_digest = presented AND k.revoked_at IS NULL
            AND (k.last_used_at IS NULL OR k.last_used_at < wall_at - coarse)
        FOR UPDATE SKIP LOCKED
    );
    RETURN QUERY
    SELECT k.id, k.organisation_id, k.organisation_kind::text, k.scopes::text[]
    FROM partners.api_client k
    WHERE k.secret_digest = presented AND k.revoked_at IS NULL;
END
$$;

REVOKE ALL ON FUNCTION partners.present_key FROM PUBLIC;
GRANT EXECUTE ON FUNCTION partners.present_key TO xinyidai_app, xinyidai_worker;
