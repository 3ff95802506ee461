-- The operating body of the platform (平台运营机构): who the platform's own commands act for.
INSERT INTO parties.party (id, kind, name, is_simulated, registered_at) VALUES
    ('00000000-0000-7000-8000-000000000001', 'operator', '平台运营机构', false, '2021-01-01T00:00:00Z');
