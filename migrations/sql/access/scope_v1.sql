-- What row-level security knows of who asks; set per transaction by xinyidai.access.service.
CREATE FUNCTION access.organisation_id() RETURNS uuid
LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(current_setting('app.organisation_id', true), '')::uuid;

CREATE FUNCTION access.is_platform() RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(current_setting('app.scope', true), '') = 'platform';

CREATE FUNCTION access.business_at() RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(current_setting('app.business_at', true), '')::timestamptz;
