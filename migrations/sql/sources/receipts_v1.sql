CREATE VIEW sources.sealable_receipt WITH (security_invoker = true) AS
SELECT
    'receipt:' || r.id AS ref,
    r.xid,
    sha256(convert_to(jsonb_build_array(
        r.id, r.firm_id, r.asker_id, r.asked_by, r.provider_id, r.item_code, r.purpose, r.consent_ids,
        encode(date_send(r.covers_from), 'hex'), encode(date_send(r.covers_to), 'hex'), encode(r.answer_digest, 'hex'),
        r.key_id, encode(r.signature, 'hex'), encode(timestamptz_send(r.asked_at), 'hex'),
        encode(timestamptz_send(r.answered_at), 'hex'), r.xid::text
    )::text, 'UTF8')) AS leaf
FROM sources.receipt AS r;
