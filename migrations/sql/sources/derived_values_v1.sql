-- A key keeps its bytes and its time for good; it is approved once, and retired once.
CREATE FUNCTION sources.provider_key_only_onward() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'UPDATE'
       OR (OLD.id, OLD.provider_id, OLD.public_key, OLD.valid_from_at, OLD.valid_until, OLD.proposed_by, OLD.proposed_at)
          IS DISTINCT FROM
          (NEW.id, NEW.provider_id, NEW.public_key, NEW.valid_from_at, NEW.valid_until, NEW.proposed_by, NEW.proposed_at)
       OR (OLD.approved_at IS NOT NULL AND (OLD.approved_by, OLD.approved_at)
          IS DISTINCT FROM (NEW.approved_by, NEW.approved_at))
       OR OLD.retired_at IS NOT NULL THEN
        RAISE EXCEPTION 'append_only: a key is approved once and retired once' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER provider_key_only_onward BEFORE UPDATE OR DELETE ON sources.provider_key
    FOR EACH ROW EXECUTE FUNCTION sources.provider_key_only_onward();
CREATE TRIGGER provider_key_no_truncate BEFORE TRUNCATE ON sources.provider_key
    FOR EACH STATEMENT EXECUTE FUNCTION foundation.refuse_change();
ALTER TABLE sources.provider_key ENABLE ALWAYS TRIGGER provider_key_only_onward;
ALTER TABLE sources.provider_key ENABLE ALWAYS TRIGGER provider_key_no_truncate;

-- The leaves are read by a sealer to whom the rows themselves are closed: these views run as their owner and tell
-- digests alone. A statement's leaf holds the key's bytes too, so that no other key can be put behind it later.
CREATE VIEW sources.sealable_statement AS
SELECT
    'statement:' || s.id AS ref,
    s.xid,
    sha256(convert_to(jsonb_build_array(
        s.id, s.statement_id, s.provider_id, s.sent_by, s.firm_id, s.item_code, s.consent_id, s.key_id, s.words,
        encode(s.signature, 'hex'), encode(k.public_key, 'hex'), encode(timestamptz_send(s.made_at), 'hex'),
        encode(timestamptz_send(s.received_at), 'hex'), s.xid::text
    )::text, 'UTF8')) AS leaf
FROM sources.statement AS s JOIN sources.provider_key AS k ON k.id = s.key_id;

CREATE VIEW sources.sealable_derived_value AS
SELECT
    'derived_value:' || v.firm_id || '/' || v.statement_id || '.' || v.line_no AS ref,
    v.xid,
    sha256(convert_to(jsonb_build_array(
        v.firm_id, v.statement_id, v.line_no, v.provider_id, v.item_code, v.consent_id, v.indicator, v.unit, v.value,
        encode(date_send(v.as_of_on), 'hex'), encode(date_send(v.covers_from), 'hex'),
        encode(date_send(v.covers_to), 'hex'), v.method_version, encode(timestamptz_send(v.made_at), 'hex'),
        encode(timestamptz_send(v.recorded_at), 'hex'), v.xid::text
    )::text, 'UTF8')) AS leaf
FROM sources.derived_value AS v;
