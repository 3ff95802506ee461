-- A release keeps its text and its proposer for good; it only goes onward, from proposed to released to retired.
CREATE FUNCTION scoring.release_only_onward() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'UPDATE'
       OR (OLD.state, NEW.state) NOT IN (('proposed', 'released'), ('released', 'retired'))
       OR (OLD.digest, OLD.bundle, OLD.card, OLD.metrics, OLD.feature_version, OLD.proposed_by, OLD.proposed_at)
          IS DISTINCT FROM
          (NEW.digest, NEW.bundle, NEW.card, NEW.metrics, NEW.feature_version, NEW.proposed_by, NEW.proposed_at)
       OR (OLD.state = 'released' AND (OLD.approved_by, OLD.approved_at)
          IS DISTINCT FROM (NEW.approved_by, NEW.approved_at)) THEN
        RAISE EXCEPTION 'append_only: a model release only goes onward, from proposed to released to retired'
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER model_release_only_onward BEFORE UPDATE OR DELETE ON scoring.model_release
    FOR EACH ROW EXECUTE FUNCTION scoring.release_only_onward();
CREATE TRIGGER model_release_no_truncate BEFORE TRUNCATE ON scoring.model_release
    FOR EACH STATEMENT EXECUTE FUNCTION foundation.refuse_change();
ALTER TABLE scoring.model_release ENABLE ALWAYS TRIGGER model_release_only_onward;
ALTER TABLE scoring.model_release ENABLE ALWAYS TRIGGER model_release_no_truncate;

-- A wish for review is answered once, by somebody, and otherwise stays as it was made.
CREATE FUNCTION scoring.review_only_answered() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'UPDATE' OR OLD.state <> 'open' OR NEW.state <> 'answered'
       OR (OLD.id, OLD.score_id, OLD.decision_id, OLD.firm_id, OLD.asked_by, OLD.wish, OLD.asked_at)
          IS DISTINCT FROM
          (NEW.id, NEW.score_id, NEW.decision_id, NEW.firm_id, NEW.asked_by, NEW.wish, NEW.asked_at) THEN
        RAISE EXCEPTION 'append_only: a wish for review may only be answered, once' USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER review_request_only_answered BEFORE UPDATE OR DELETE ON scoring.review_request
    FOR EACH ROW EXECUTE FUNCTION scoring.review_only_answered();
ALTER TABLE scoring.review_request ENABLE ALWAYS TRIGGER review_request_only_answered;
