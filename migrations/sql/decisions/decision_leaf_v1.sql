-- What a sealed decision is bound by: every column but the transaction id. It sees what the asker may see.
CREATE VIEW decisions.decision_leaf WITH (security_invoker = true) AS
SELECT
    id::text AS ref,
    xid,
    sha256(convert_to(
        jsonb_build_array(
            id, kind, subject_id, key_id, made_at AT TIME ZONE 'UTC', encode(vector_sealed, 'hex'),
            encode(vector_digest, 'hex'), encode(reasons_sealed, 'hex'), outcome, versions, consent_ids
        )::text, 'UTF8'
    )) AS leaf
FROM decisions.decision;
