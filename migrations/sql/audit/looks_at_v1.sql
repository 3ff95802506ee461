-- Who looked at a subject's data, newest first. The table's own policy shows an organisation what it did itself; what was
-- done to a subject comes through here only, since a batch row names other subjects too, and their consents.
-- Runs as the owner, so it checks the viewer itself; under the table's policy the GIN index could not be used.
CREATE FUNCTION audit.looks_at(p_subject_id uuid, p_before uuid, p_limit integer)
RETURNS TABLE (
    id uuid, action text, organisation_id uuid, organisation_kind text, object_kind text, purpose text,
    consent_ids uuid[], happened_at timestamptz
)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT access.is_platform() AND access.organisation_id() IS DISTINCT FROM p_subject_id THEN
        RETURN;
    END IF;
    RETURN QUERY
        SELECT
            r.id, r.action::text, r.organisation_id, r.organisation_kind::text, r.object_kind::text, r.purpose::text,
            CASE WHEN cardinality(r.subject_ids) = 1 THEN r.consent_ids ELSE '{}'::uuid[] END, r.happened_at
        FROM audit.record AS r
        WHERE r.subject_ids @> ARRAY[p_subject_id] AND r.id < p_before
        ORDER BY r.id DESC
        LIMIT p_limit;
END
$$;
REVOKE EXECUTE ON FUNCTION audit.looks_at(uuid, uuid, integer) FROM PUBLIC;
