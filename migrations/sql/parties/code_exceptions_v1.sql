-- Credit codes that are legal and fail the check digit of GB 32100-2015: issued in Fujian's early pilot.
INSERT INTO parties.code_exception (id, credit_code, reason, valid_from, proposed_at) VALUES
    ('00000000-0000-7000-8000-0000000e0001', '91350100M0001TGQXM', 'early pilot of Fujian: issued before the check digit was fixed', '2015-10-01', '2026-02-01T00:00:00Z'),
    ('00000000-0000-7000-8000-0000000e0002', '91350211M0000XUF46', 'early pilot of Fujian: issued before the check digit was fixed', '2015-10-01', '2026-02-01T00:00:00Z'),
    ('00000000-0000-7000-8000-0000000e0003', '91350203M0001FUE2P', 'early pilot of Fujian: issued before the check digit was fixed', '2015-10-01', '2026-02-01T00:00:00Z');
