-- Whose facts may be read is the firms' word, so platform scope opens nothing here, for reading least of all: a row is
-- for its firm, and for readers under a consent in force, which the function looks up anew at every statement.
-- The platform writes: rows of a delivery, and the moment at which a correction superseded one.
ALTER TABLE sources.invoice_fact ENABLE ROW LEVEL SECURITY;
ALTER TABLE sources.invoice_fact FORCE ROW LEVEL SECURITY;
CREATE POLICY permitted ON sources.invoice_fact FOR SELECT TO xinyidai_app, xinyidai_worker
    USING (firm_id = (SELECT access.organisation_id())
           OR firm_id IN (SELECT consents.permitted_subjects('vat_invoice')));
CREATE POLICY delivered ON sources.invoice_fact FOR INSERT TO xinyidai_app, xinyidai_worker
    WITH CHECK ((SELECT access.is_platform()));
CREATE POLICY superseded ON sources.invoice_fact FOR UPDATE TO xinyidai_app, xinyidai_worker
    USING ((SELECT access.is_platform())) WITH CHECK ((SELECT access.is_platform()));
CREATE POLICY owner ON sources.invoice_fact TO xinyidai_owner USING (true) WITH CHECK (true);
CREATE POLICY auditor ON sources.invoice_fact FOR SELECT TO xinyidai_auditor USING (true);
