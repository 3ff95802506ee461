-- Policy, catalogue and rules changed: what processes keep of them under the old version is read anew.
CREATE FUNCTION foundation.renew_reference() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE foundation.reference SET version = gen_random_uuid();
    RETURN NULL;
END
$$;
