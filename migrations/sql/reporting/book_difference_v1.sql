-- Where a room and the ledger do not say the same of one loan, claim or recovery; no row is what should be.
-- Read in platform scope: another viewer meets half-seen journals.
CREATE VIEW reporting.book_difference WITH (security_invoker = true) AS
WITH booked AS (
    SELECT
        journal.kind,
        journal.subject ->> 'loan_id' AS loan_id,
        journal.subject ->> 'claim_id' AS claim_id,
        journal.subject ->> 'recovery_id' AS recovery_id,
        entry.book,
        sum(entry.amount_fen) FILTER (WHERE entry.amount_fen > 0) AS moved_fen
    FROM ledger.journal AS journal
    JOIN ledger.entry AS entry ON entry.journal_id = journal.id
    WHERE journal.kind IN ('disbursement', 'repayment', 'claim_paid', 'recovery')
    GROUP BY journal.id, entry.book
),
by_loan AS (
    SELECT
        loan_id,
        sum(moved_fen) FILTER (WHERE kind = 'disbursement' AND book = 'lending') AS disbursed_fen,
        sum(moved_fen) FILTER (WHERE kind = 'repayment' AND book = 'lending') AS repaid_fen,
        sum(moved_fen) FILTER (WHERE kind = 'recovery' AND book = 'lending') AS recovered_fen
    FROM booked
    GROUP BY loan_id
)
SELECT 'disbursement' AS what, coalesce(loan.id::text, by_loan.loan_id) AS ref,
    coalesce(loan.principal_fen, 0) AS room_fen, coalesce(by_loan.disbursed_fen, 0)::bigint AS ledger_fen
FROM loans.loan AS loan
FULL JOIN by_loan ON by_loan.loan_id = loan.id::text
WHERE coalesce(loan.principal_fen, 0) <> coalesce(by_loan.disbursed_fen, 0)
UNION ALL
SELECT 'repayment', coalesce(loan.id::text, by_loan.loan_id),
    coalesce(loan.principal_repaid_fen, 0), coalesce(by_loan.repaid_fen, 0)::bigint
FROM loans.loan AS loan
FULL JOIN by_loan ON by_loan.loan_id = loan.id::text
WHERE coalesce(loan.principal_repaid_fen, 0) <> coalesce(by_loan.repaid_fen, 0)
UNION ALL
SELECT 'recovery', coalesce(loan.id::text, by_loan.loan_id),
    coalesce(loan.principal_recovered_fen, 0), coalesce(by_loan.recovered_fen, 0)::bigint
FROM loans.loan AS loan
FULL JOIN by_loan ON by_loan.loan_id = loan.id::text
WHERE coalesce(loan.principal_recovered_fen, 0) <> coalesce(by_loan.recovered_fen, 0)
UNION ALL
SELECT 'claim_paid', coalesce(claim.id::text, paid.claim_id),
    coalesce(claim.fund_paid_fen + claim.guarantor_paid_fen, 0), coalesce(paid.moved_fen, 0)::bigint
FROM (SELECT * FROM risk_sharing.claim WHERE loss_fen IS NOT NULL) AS claim
FULL JOIN (SELECT claim_id, moved_fen FROM booked WHERE kind = 'claim_paid' AND book = 'cash') AS paid
    ON paid.claim_id = claim.id::text
WHERE coalesce(claim.fund_paid_fen + claim.guarantor_paid_fen, 0) <> coalesce(paid.moved_fen, 0)
UNION ALL
-- A disbursed loan that holds a reservation must have a cover over the same principal, and no other cover may be.
SELECT 'cover', coalesce(loan.id, cover.loan_id)::text, coalesce(loan.principal_fen, 0), coalesce(cover.principal_fen, 0)
FROM (SELECT * FROM loans.loan WHERE reservation_id IS NOT NULL) AS loan
FULL JOIN risk_sharing.cover AS cover ON cover.loan_id = loan.id
WHERE coalesce(loan.principal_fen, 0) <> coalesce(cover.principal_fen, 0);
