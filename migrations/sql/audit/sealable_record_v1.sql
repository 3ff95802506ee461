-- The leaves of the stream audit.record. JSON text keeps neighbouring columns apart; moments go in as their eight bytes,
-- since their text depends on the reader's time zone.
CREATE VIEW audit.sealable_record WITH (security_invoker = true) AS
SELECT
    'record:' || r.id AS ref,
    r.xid,
    sha256(convert_to(jsonb_build_array(
        r.id, r.action, r.principal_id, r.principal_kind, r.organisation_id, r.organisation_kind, r.subject_ids,
        r.object_kind, r.object_id, r.purpose, r.consent_ids, encode(timestamptz_send(r.happened_at), 'hex'),
        encode(timestamptz_send(r.recorded_at), 'hex'), r.xid::text
    )::text, 'UTF8')) AS leaf
FROM audit.record AS r;
