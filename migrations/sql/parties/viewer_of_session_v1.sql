-- Who asks, by the digest of a session's token, in the one query that a request pays for its authentication: the
-- session must be open, unended and used within `idle`, and the membership it acts under active. Runs as the owner,
-- because there is no viewer yet, and answers for one session only. Its use is noted at most once per `coarse` and
-- never waited for; after `idle` it is noted no more, or the first late request would wake the session.
CREATE FUNCTION parties.viewer_of_session(presented bytea, wall_at timestamptz, coarse interval, idle interval)
RETURNS TABLE (user_id uuid, party_id uuid, party_kind text, roles text[], proved_at timestamptz)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = ''
AS $$
BEGIN
    UPDATE parties.web_session s SET seen_at = wall_at
    WHERE s.id = (
        SELECT k.id FROM parties.web_session k
        WHERE k.token_digest = presented AND k.ended_at IS NULL AND k.seen_at < wall_at - coarse AND k.seen_at > wall_at - idle
        FOR UPDATE SKIP LOCKED
    );
    RETURN QUERY
    SELECT s.user_id, s.party_id, p.kind::text, m.roles::text[], s.proved_at
    FROM parties.web_session s
    JOIN parties.membership m ON m.user_id = s.user_id AND m.party_id = s.party_id AND m.ended_at IS NULL
    JOIN parties.party p ON p.id = s.party_id
    WHERE s.token_digest = presented AND s.stage = 'open' AND s.ended_at IS NULL AND s.expires_at > wall_at
        AND s.seen_at > wall_at - idle;
END
$$;

REVOKE ALL ON FUNCTION parties.viewer_of_session FROM PUBLIC;
GRANT EXECUTE ON FUNCTION parties.viewer_of_session TO xinyidai_app, xinyidai_worker;
