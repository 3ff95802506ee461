"""How a matching is written down: the vector it was made from, the shelf it saw, the outcome; and back again.

The vector is flat, as decisions keep it: ``applicant.<field>`` and ``lender.<id>.<what>``. The outcome holds ids and
codes only; the values that failed are in the reasons, which are sealed under the firm's key.
"""

from collections.abc import Mapping, Sequence

from xinyidai.foundation.canonical import Json, digest
from xinyidai.matching.rules.eligibility import (
    RULES_VERSION,
    Decision,
    Fact,
    Facts,
    OnShelf,
    Standing,
    Verdict,
)
from xinyidai.products.rules import clause_json, clause_of

APPLICANT = "applicant."
LENDER = "lender."


def vector_of(facts: Facts, standings: Mapping[str, Standing]) -> dict[str, Fact]:
    """Return the flat vector of a decision."""
    vector: dict[str, Fact] = {f"{APPLICANT}{field}": value for field, value in facts.items()}
    for lender_id, standing in standings.items():
        for what, value in standing_json(standing).items():
            vector[f"{LENDER}{lender_id}.{what}"] = value
    return vector


def facts_of(vector: Mapping[str, Fact]) -> dict[str, Fact]:
    """Return what the vector says of the applicant."""
    return {key.removeprefix(APPLICANT): value for key, value in vector.items() if key.startswith(APPLICANT)}


def standings_of(vector: Mapping[str, Fact]) -> dict[str, Standing]:
    """Return what the vector says of each lender."""
    told: dict[str, dict[str, Fact]] = {}
    for key, value in vector.items():
        if key.startswith(LENDER):
            lender_id, what = key.removeprefix(LENDER).split(".", 1)
            told.setdefault(lender_id, {})[what] = value
    return {lender_id: _standing(lender_id, what) for lender_id, what in told.items()}


def standing_json(standing: Standing) -> dict[str, Fact]:
    """Return a standing as flat values."""
    return {
        "has_consent": int(standing.has_consent),
        "was_asked": int(standing.was_asked),
        "line": standing.line,
        "line_available_fen": standing.line_available_fen,
        "line_covered_ppm": standing.line_covered_ppm,
        "line_firm_cap_fen": standing.line_firm_cap_fen,
        "line_max_rate_bp": standing.line_max_rate_bp,
        "grant_share_ppm": standing.grant_share_ppm,
        "lender_code": standing.lender_code,
    }


def outcome_of(decision: Decision) -> dict[str, Json]:
    """Return what was decided: places and products, refused products and the codes that failed."""
    return {
        "ranked": [
            {
                "rank": one.rank,
                "product_id": one.candidate.product_id,
                "product_code": one.candidate.product_code,
                "lender_id": one.candidate.lender_id,
                "expected_cost_fen": one.candidate.expected_cost_fen,
                "answer_days": one.candidate.answer_days,
                "grant_share_ppm": one.candidate.grant_share_ppm,
                "behind_by": None if one.behind_by is None else one.behind_by.value,
            }
            for one in decision.ranked
        ],
        "refused": [
            {
                "product_id": verdict.product.product_id,
                "product_code": verdict.product.code,
                "lender_id": verdict.product.lender_id,
                "failed": [failure.code for failure in verdict.failures],
            }
            for verdict in decision.refused
        ],
    }


def reasons_of(decision: Decision) -> list[dict[str, Json]]:
    """Return every failing clause of every refused product as a reason that the firm can read."""
    return [
        {
            "code": failure.code,
            "zh": failure.sentence("zh"),
            "en": failure.sentence("en"),
            "product_id": verdict.product.product_id,
            "product_code": verdict.product.code,
            "field": failure.field,
            "operator": failure.operator,
            "wanted": failure.wanted,
            "got": failure.got,
        }
        for verdict in decision.refused
        for failure in verdict.failures
    ]


def eligibility_digest(verdict: Verdict, facts: Facts, standing: Standing, consent_ids: Sequence[str]) -> bytes:
    """Return the digest of what let a demand through to a lender: rules, terms, facts, standing, consents."""
    assert verdict.is_eligible, "only what fits is dispatched"
    return digest(
        {
            "rules": RULES_VERSION,
            "product": product_json(verdict.product),
            "facts": dict(facts),
            "standing": standing_json(standing),
            "consents": sorted(consent_ids),
        }
    )


def shelf_json(shelf: Sequence[OnShelf]) -> list[Json]:
    """Return a shelf as JSON in one order: the same products in another order are the same shelf."""
    return [product_json(product) for product in sorted(shelf, key=by_code)]


def by_code(product: OnShelf) -> tuple[str, int, str]:
    """Return what a shelf is ordered by: codes are unique within a lender only."""
    return product.code, product.version, product.lender_id


def product_json(product: OnShelf) -> dict[str, Json]:
    """Return a product's terms as JSON."""
    return {
        "product_id": product.product_id,
        "code": product.code,
        "version": product.version,
        "lender_id": product.lender_id,
        "min_amount_fen": product.min_amount_fen,
        "max_amount_fen": product.max_amount_fen,
        "min_term_months": product.min_term_months,
        "max_term_months": product.max_term_months,
        "min_rate_bp": product.min_rate_bp,
        "max_rate_bp": product.max_rate_bp,
        "repayment_kinds": list(product.repayment_kinds),
        "applicant_kinds": list(product.applicant_kinds),
        "region_codes": list(product.region_codes),
        "industry_codes": list(product.industry_codes),
        "requires_cover": product.requires_cover,
        "answer_days": product.answer_days,
        "clauses": [clause_json(clause) for clause in product.clauses],
    }


def product_of(told: Mapping[str, Json]) -> OnShelf:
    """Return a product from its JSON."""
    return OnShelf(
        product_id=_text(told, "product_id"),
        code=_text(told, "code"),
        version=_number(told, "version"),
        lender_id=_text(told, "lender_id"),
        min_amount_fen=_number(told, "min_amount_fen"),
        max_amount_fen=_number(told, "max_amount_fen"),
        min_term_months=_number(told, "min_term_months"),
        max_term_months=_number(told, "max_term_months"),
        min_rate_bp=_number(told, "min_rate_bp"),
        max_rate_bp=_number(told, "max_rate_bp"),
        repayment_kinds=_codes(told, "repayment_kinds"),
        applicant_kinds=_codes(told, "applicant_kinds"),
        region_codes=_codes(told, "region_codes"),
        industry_codes=_codes(told, "industry_codes"),
        requires_cover=told["requires_cover"] is True,
        answer_days=None if told["answer_days"] is None else _number(told, "answer_days"),
        clauses=tuple(clause_of(clause) for clause in _list(told, "clauses")),
    )


def _standing(lender_id: str, told: Mapping[str, Fact]) -> Standing:
    share, code = told["grant_share_ppm"], told.get("lender_code")
    return Standing(
        lender_id=lender_id,
        has_consent=told["has_consent"] == 1,
        was_asked=told["was_asked"] == 1,
        line=_text(told, "line"),
        line_available_fen=_number(told, "line_available_fen"),
        line_covered_ppm=_number(told, "line_covered_ppm"),
        line_firm_cap_fen=_number(told, "line_firm_cap_fen"),
        line_max_rate_bp=_number(told, "line_max_rate_bp"),
        grant_share_ppm=None if share is None else _number(told, "grant_share_ppm"),
        lender_code=None if code is None else _text(told, "lender_code"),
    )


def _text(told: Mapping[str, Json], field: str) -> str:
    value = told[field]
    assert isinstance(value, str), f"{field} is text"
    return value


def _number(told: Mapping[str, Json], field: str) -> int:
    value = told[field]
    assert isinstance(value, int), f"{field} is a whole number"
    return value


def _list(told: Mapping[str, Json], field: str) -> Sequence[Json]:
    value = told[field]
    assert isinstance(value, Sequence), f"{field} is a list"
    assert not isinstance(value, str), f"{field} is a list"
    return value


def _codes(told: Mapping[str, Json], field: str) -> tuple[str, ...]:
    return tuple(str(code) for code in _list(told, field))
