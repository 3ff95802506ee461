-- One row per indication and binding offer that two people of the lender issued after it; one row without an offer where
-- there is none. `indicated_on` is a Shanghai day. Names lenders, never a firm.
-- security_invoker: the reader's own row-level security holds in every table beneath.
CREATE VIEW reporting.indication_fact WITH (security_invoker = true) AS
SELECT
    indication.id AS indication_id,
    indication.lender_id,
    lender.name AS lender_name,
    lender.credit_code AS lender_code,
    (indication.made_at AT TIME ZONE 'Asia/Shanghai')::date AS indicated_on,
    dispatch.chosen_at IS NOT NULL AS is_chosen,
    dispatch.chosen_at IS NOT NULL AND dispatch.decline_code IS NOT NULL AS is_declined_after_choice,
    dispatch.chosen_at IS NOT NULL AND dispatch.refused_at IS NOT NULL AND dispatch.decline_code IS NULL
        AS is_silent_after_choice,
    issued.offer_id,
    issued.is_inside,
    issued.amount_below_ppm,
    issued.rate_above_bp
FROM matching.indication AS indication
JOIN matching.dispatch AS dispatch ON dispatch.id = indication.dispatch_id
JOIN parties.party AS lender ON lender.id = indication.lender_id
LEFT JOIN (
    SELECT offer.id AS offer_id, offer.dispatch_id, offer.is_inside, offer.amount_below_ppm, offer.rate_above_bp
    FROM matching.offer AS offer
    JOIN matching.offer_standing AS standing ON standing.offer_id = offer.id
    WHERE standing.approved_at IS NOT NULL
) AS issued ON issued.dispatch_id = indication.dispatch_id;
