-- As version 1, and further: a test key counts in a sandbox only, and only while its party is a simulated one, so that
-- no mistake of the platform's own code opens a real firm's door to a bot. Says the key's role and kind too.
CREATE FUNCTION partners.present_key(presented bytea, wall_at timestamptz, coarse interval, in_sandbox boolean)
RETURNS TABLE (
    client_id uuid, organisation_id uuid, organisation_kind text, scopes text[], role text, is_sandbox boolean
)
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
    SELECT k.id, k.organisation_id, k.organisation_kind::text, k.scopes::text[], k.role::text, k.is_sandbox
    FROM partners.api_client k
    WHERE k.secret_digest = presented AND k.revoked_at IS NULL
        AND (
            NOT k.is_sandbox
            OR (
                in_sandbox
                AND EXISTS (SELECT FROM parties.party p WHERE p.id = k.organisation_id AND p.is_simulated)
            )
        );
END
$$;

REVOKE ALL ON FUNCTION partners.present_key(bytea, timestamptz, interval, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION partners.present_key(bytea, timestamptz, interval, boolean)
TO xinyidai_app, xinyidai_worker;
