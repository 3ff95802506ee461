-- Where the books break a rule, in words; empty or something is wrong. Any auditor can read it with psql.
--   I1  every journal has two legs or more, numbered 1..n, that sum to zero in each book
--   I2  every book sums to zero
--   I3  an account is what its entries say: sum, count, and each balance follows from the one before
CREATE VIEW ledger.book_fault WITH (security_invoker = true) AS
SELECT 'I1' AS rule, 'journal:' || e.journal_id AS ref, 'book ' || e.book || ' is off by ' || sum(e.amount_fen) AS says
FROM ledger.entry AS e
GROUP BY e.journal_id, e.book
HAVING sum(e.amount_fen) <> 0
UNION ALL
SELECT 'I1', 'journal:' || e.journal_id, count(*) || ' legs, numbered ' || min(e.leg) || ' to ' || max(e.leg)
FROM ledger.entry AS e
GROUP BY e.journal_id
HAVING count(*) < 2 OR min(e.leg) <> 1 OR max(e.leg) <> count(*)
UNION ALL
SELECT 'I1', 'journal:' || j.id, 'no entries'
FROM ledger.journal AS j
WHERE NOT EXISTS (SELECT 1 FROM ledger.entry AS e WHERE e.journal_id = j.id)
UNION ALL
SELECT 'I1', 'journal:' || e.journal_id || '/leg:' || e.leg, 'no journal'
FROM ledger.entry AS e
WHERE NOT EXISTS (SELECT 1 FROM ledger.journal AS j WHERE j.id = e.journal_id)
UNION ALL
SELECT 'I2', 'book:' || a.book, 'tenant ' || a.tenant || ' is off by ' || sum(a.balance_fen)
FROM ledger.account AS a
GROUP BY a.tenant, a.book
HAVING sum(a.balance_fen) <> 0
UNION ALL
SELECT
    'I3', 'account:' || a.id,
    'balance ' || a.balance_fen || ' at version ' || a.version || ', entries sum to ' || coalesce(said.total, 0)
        || ' in ' || coalesce(said.entries, 0)
FROM ledger.account AS a
LEFT JOIN (
    SELECT e.account_id, sum(e.amount_fen) AS total, count(*) AS entries FROM ledger.entry AS e GROUP BY e.account_id
) AS said ON said.account_id = a.id
WHERE a.balance_fen <> coalesce(said.total, 0) OR a.version <> coalesce(said.entries, 0)
UNION ALL
SELECT
    'I3', 'journal:' || each.journal_id || '/leg:' || each.leg,
    'balance ' || each.balance_after_fen || ' at version ' || each.account_version || ' does not follow from '
        || each.balance_before || ' and ' || each.amount_fen
FROM (
    SELECT
        e.journal_id, e.leg, e.amount_fen, e.balance_after_fen, e.account_version,
        coalesce(lag(e.balance_after_fen) OVER by_version, 0) AS balance_before,
        coalesce(lag(e.account_version) OVER by_version, 0) AS version_before
    FROM ledger.entry AS e
    WINDOW by_version AS (PARTITION BY e.account_id ORDER BY e.account_version)
) AS each
WHERE each.balance_after_fen::numeric <> each.balance_before::numeric + each.amount_fen
    OR each.account_version <> each.version_before + 1
UNION ALL
SELECT
    'I3', 'journal:' || e.journal_id || '/leg:' || e.leg,
    coalesce('entry in book ' || e.book || ', account in ' || a.book, 'no account')
FROM ledger.entry AS e
LEFT JOIN ledger.account AS a ON a.id = e.account_id
WHERE a.book IS DISTINCT FROM e.book;
