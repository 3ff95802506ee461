-- One row per loan, as the statistics read it: district and industry by their names on the day of disbursement.
-- security_invoker: the reader's own row-level security holds in every table beneath.
CREATE VIEW reporting.lending_fact WITH (security_invoker = true) AS
SELECT
    loan.id AS loan_id,
    loan.firm_id,
    loan.lender_id,
    lender.name AS lender_name,
    held.fund_id,
    held.guarantor_id,
    loan.disbursed_on,
    to_char(loan.disbursed_on, 'YYYY-MM') AS month,
    coalesce(loan.region_code, 'unknown') AS region_code,
    region.name_zh AS region_name,
    coalesce(left(loan.industry_code, 1), 'unknown') AS industry_code,
    industry.name_zh AS industry_name,
    loan.principal_fen,
    loan.principal_fen - loan.principal_repaid_fen - loan.principal_recovered_fen AS outstanding_fen,
    loan.is_first_loan,
    loan.state,
    loan.days_past_due,
    loan.risk_class,
    loan.reservation_id IS NOT NULL AS is_covered,
    coalesce(claim.fund_paid_fen + claim.guarantor_paid_fen, 0) AS claims_paid_fen,
    coalesce(claim.fund_returned_fen + claim.guarantor_returned_fen, 0) AS returned_fen
FROM loans.loan AS loan
JOIN parties.party AS lender ON lender.id = loan.lender_id
LEFT JOIN agreements.reservation AS held ON held.id = loan.reservation_id
LEFT JOIN risk_sharing.claim AS claim ON claim.loan_id = loan.id AND claim.loss_fen IS NOT NULL
LEFT JOIN parties.region AS region
    ON region.code = loan.region_code
    AND region.superseded_at IS NULL
    AND region.valid_from <= loan.disbursed_on
    AND (region.valid_to IS NULL OR region.valid_to > loan.disbursed_on)
LEFT JOIN parties.industry AS industry
    ON industry.code = left(loan.industry_code, 1)
    AND industry.valid_from <= loan.disbursed_on
    AND (industry.valid_to IS NULL OR industry.valid_to > loan.disbursed_on);
