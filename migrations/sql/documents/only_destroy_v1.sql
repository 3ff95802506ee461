-- A document is never changed: the one change it may see is its destruction, once, which takes key, name and bytes.
CREATE FUNCTION documents.only_destroy() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_before documents.document;
BEGIN
    v_before := OLD;
    v_before.wrapped_key := NULL;
    v_before.name_sealed := NULL;
    v_before.content_sealed := NULL;
    v_before.destroyed_by := NEW.destroyed_by;
    v_before.destroyed_at := NEW.destroyed_at;
    IF OLD.destroyed_at IS NOT NULL OR NEW.destroyed_at IS NULL OR v_before IS DISTINCT FROM NEW THEN
        RAISE EXCEPTION 'append_only: a document may only be destroyed, once' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER document_only_destroy BEFORE UPDATE ON documents.document
    FOR EACH ROW EXECUTE FUNCTION documents.only_destroy();
CREATE TRIGGER document_no_delete BEFORE DELETE ON documents.document
    FOR EACH ROW EXECUTE FUNCTION foundation.refuse_change();
CREATE TRIGGER document_no_truncate BEFORE TRUNCATE ON documents.document
    FOR EACH STATEMENT EXECUTE FUNCTION foundation.refuse_change();
ALTER TABLE documents.document ENABLE ALWAYS TRIGGER document_only_destroy;
ALTER TABLE documents.document ENABLE ALWAYS TRIGGER document_no_delete;
ALTER TABLE documents.document ENABLE ALWAYS TRIGGER document_no_truncate;
