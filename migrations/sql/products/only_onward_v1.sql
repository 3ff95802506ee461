-- The terms of a product never change: a version only goes onward, and the days it is open only become fewer.
CREATE FUNCTION products.only_onward() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    life CONSTANT text[] := ARRAY['state', 'valid_from', 'valid_to', 'published_by', 'published_at', 'closed_by', 'closed_at'];
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.state <> 'proposed' OR NEW.published_at IS NOT NULL OR NEW.closed_by IS NOT NULL OR NEW.valid_to IS NOT NULL THEN
            RAISE EXCEPTION 'append_only: a product begins as a proposal' USING ERRCODE = 'restrict_violation';
        END IF;
        RETURN NEW;
    END IF;
    IF TG_OP <> 'UPDATE'
       OR (OLD.state, NEW.state) NOT IN
          (('proposed', 'published'), ('proposed', 'closed'), ('published', 'published'), ('published', 'closed'))
       OR to_jsonb(OLD) - life IS DISTINCT FROM to_jsonb(NEW) - life
       OR (OLD.state = 'published' AND (OLD.valid_from, OLD.published_by, OLD.published_at)
          IS DISTINCT FROM (NEW.valid_from, NEW.published_by, NEW.published_at))
       OR (NEW.state = 'closed' AND OLD.published_at IS NULL AND NEW.published_at IS NOT NULL)
       OR (NEW.state = 'published' AND (NEW.closed_by IS NOT NULL OR NEW.valid_from < OLD.valid_from))
       OR (OLD.valid_to IS NOT NULL AND coalesce(NEW.valid_to > OLD.valid_to, true)) THEN
        RAISE EXCEPTION 'append_only: the terms of a product never change, and it only goes onward'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER product_only_onward BEFORE INSERT OR UPDATE OR DELETE ON products.product
    FOR EACH ROW EXECUTE FUNCTION products.only_onward();
CREATE TRIGGER product_no_truncate BEFORE TRUNCATE ON products.product
    FOR EACH STATEMENT EXECUTE FUNCTION foundation.refuse_change();
ALTER TABLE products.product ENABLE ALWAYS TRIGGER product_only_onward;
ALTER TABLE products.product ENABLE ALWAYS TRIGGER product_no_truncate;
