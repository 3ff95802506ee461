-- A fact is never overwritten: the one change it may see is the moment it was superseded, once.
CREATE FUNCTION sources.only_supersede() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    v_before sources.invoice_fact;
BEGIN
    v_before := OLD;
    v_before.superseded_at := NEW.superseded_at;
    IF OLD.superseded_at IS NOT NULL OR NEW.superseded_at IS NULL OR v_before IS DISTINCT FROM NEW THEN
        RAISE EXCEPTION 'append_only: a fact may only be superseded, once' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER invoice_fact_only_supersede BEFORE UPDATE ON sources.invoice_fact
    FOR EACH ROW EXECUTE FUNCTION sources.only_supersede();
CREATE TRIGGER invoice_fact_no_delete BEFORE DELETE ON sources.invoice_fact
    FOR EACH ROW EXECUTE FUNCTION foundation.refuse_change();
CREATE TRIGGER invoice_fact_no_truncate BEFORE TRUNCATE ON sources.invoice_fact
    FOR EACH STATEMENT EXECUTE FUNCTION foundation.refuse_change();
ALTER TABLE sources.invoice_fact ENABLE ALWAYS TRIGGER invoice_fact_only_supersede;
ALTER TABLE sources.invoice_fact ENABLE ALWAYS TRIGGER invoice_fact_no_delete;
ALTER TABLE sources.invoice_fact ENABLE ALWAYS TRIGGER invoice_fact_no_truncate;
