-- The tables of facts: by which deliveries each is filled, which view has its leaves, what superseded its rows.
CREATE OR REPLACE FUNCTION sources.fact_tables() RETURNS TABLE (kinds text[], facts text, leaves text, replaced text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT ARRAY['vat_invoice', 'correction'], 'invoice_fact', 'fact_leaf', 'SELECT * FROM sources.supersession'
    UNION ALL
    SELECT ARRAY[code], code || '_fact', code || '_leaf',
           format('SELECT * FROM sources.record_supersession WHERE item_code = %L', code)
    FROM unnest(ARRAY[
        'tax_filing', 'social_insurance', 'housing_fund', 'water', 'electricity', 'gas',
        'import_export', 'logistics', 'annual_report', 'tax_grade', 'environment', 'self_declared',
        'registration_change', 'permit', 'penalty', 'judgment', 'enforcement', 'tax_arrears',
        'intellectual_property', 'science_technology', 'tender', 'honour_list', 'commitment', 'real_estate',
        'farm_entity', 'cash_flow']) AS code
$$;
