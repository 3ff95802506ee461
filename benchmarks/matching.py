"""Matching one demand: 300 products with 10 conditions each, every failing condition named.

Peers in the same run: the plainest loop a person would write for the same answer, and as the limit one numpy pass over
all conditions as a table of integers, which says which fail and names nothing.
"""

import random
import sys
from collections.abc import Callable, Sequence
from uuid import UUID

import numpy as np

from benchmarks.measuring import arguments, compare, finish, measure
from xinyidai.matching.rules.eligibility import Fact, OnShelf, Standing, decide
from xinyidai.matching.rules.records import outcome_of, reasons_of
from xinyidai.products.rules import Clause, Operator, failing_clauses

CONDITIONS = 10
LENDERS = 20
FIELDS = ("age_months", "staff", "known_exposure_fen", "pd_ppm", "score_points", "score_band")
FACTS: dict[str, Fact] = {
    "demand_id": str(UUID(int=1)),
    "amount_fen": 50_000_000,
    "term_months": 12,
    "use": "raw_materials",
    "repayment_kind": "equal_instalments",
    "kind": "firm",
    "region_code": "500103",
    "industry_code": "F52",
    "answer_working_days": 10,
    "age_months": 50,
    "staff": 50,
    "known_exposure_fen": 50,
    "pd_ppm": 50,
    "score_points": 50,
    "score_band": 5,
}
Failed = tuple[str, str, str, int, int]


def a_shelf(products: int) -> list[OnShelf]:
    """Return products of which about a third of the conditions fail, the same on every run."""
    chance = random.Random(7)  # noqa: S311 - a reproducible shelf, no secret
    return [_product(number, chance) for number in range(products)]


def _product(number: int, chance: random.Random) -> OnShelf:
    clauses = tuple(
        Clause(
            field=chance.choice(FIELDS),
            operator=chance.choice([Operator.GTE, Operator.LTE]),
            value=chance.choice([1, 50, 99]),
            code=f"c{place}",
        )
        for place in range(CONDITIONS)
    )
    return OnShelf(
        product_id=str(UUID(int=number + 10)),
        code=f"P-{number:05d}",
        version=1,
        lender_id=str(UUID(int=number % LENDERS + 2)),
        min_amount_fen=1_000_000,
        max_amount_fen=100_000_000,
        min_term_months=1,
        max_term_months=36,
        min_rate_bp=300,
        max_rate_bp=600,
        repayment_kinds=("equal_instalments",),
        applicant_kinds=(),
        region_codes=(),
        industry_codes=(),
        requires_cover=False,
        answer_days=None,
        clauses=clauses if number % 10 else (),
    )


def naive(shelf: Sequence[OnShelf]) -> list[list[Failed]]:
    """Answer the same question with the plainest loop."""
    answer = []
    for product in shelf:
        failed: list[Failed] = []
        for clause in product.clauses:
            got, wanted = FACTS[clause.field], clause.value
            assert isinstance(got, int)
            assert isinstance(wanted, int)
            if not (got >= wanted if clause.operator == "gte" else got <= wanted):
                failed.append((clause.code, clause.field, clause.operator.value, wanted, got))
        answer.append(failed)
    return answer


def as_table(shelf: Sequence[OnShelf]) -> Callable[[], np.ndarray]:
    """Return one numpy pass over every condition: True where it fails."""
    clauses = [clause for product in shelf for clause in product.clauses]
    facts = np.array([FACTS[field] for field in FIELDS], dtype=np.int64)
    field = np.array([FIELDS.index(clause.field) for clause in clauses])
    value = np.array([clause.value for clause in clauses], dtype=np.int64)
    sign = np.array([1 if clause.operator is Operator.GTE else -1 for clause in clauses])
    return lambda: (facts[field] - value) * sign < 0


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and compare."""
    args = arguments("matching", argv)
    shelf = a_shelf(3_000 if args.full else 300)
    standings = {product.lender_id: Standing(product.lender_id, has_consent=True) for product in shelf}
    named = [
        [(clause.code, clause.field) for clause, _got in failing_clauses(product.clauses, FACTS)] for product in shelf
    ]
    assert named == [[(code, field) for code, field, *_rest in failed] for failed in naive(shelf)], "the same answer"

    def decided() -> object:
        decision = decide(shelf, FACTS, standings)
        return outcome_of(decision), reasons_of(decision)

    timings = measure(
        {
            "all reasons": lambda: [failing_clauses(product.clauses, FACTS) for product in shelf],
            "whole decision": decided,
            "naive loop": lambda: naive(shelf),
            "numpy, unnamed": as_table(shelf),
        },
        args.rounds,
    )
    rate = {name: timing.per_second(len(shelf)) for name, timing in timings.items()}
    limit = rate["numpy, unnamed"]
    rows = [
        compare(
            f"{name}, {len(shelf)} products x {CONDITIONS}",
            "products/s",
            ours=rate[name],
            peer="naive loop",
            peer_value=rate["naive loop"],
            limit=limit,
            goal=goal,
        )
        for name, goal in (("all reasons", 1.0), ("whole decision", None))
    ]
    return finish(rows, args)


if __name__ == "__main__":
    sys.exit(main())
