"""The order in which eligible products are put before lender and firm: stated, deterministic, explained."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

UNKNOWN_GRANT_SHARE_PPM = 500_000
"""A lender without history stands in the middle: neither favoured nor buried, so that new lenders get evidence."""


class Criterion(StrEnum):
    """What the order looks at, the first difference deciding.

    Ties go by the product's code and, where two lenders use one code, by a lot drawn from business keys of demand and
    lender: the same on every run, and no lender is always first.
    """

    COST = "expected_cost_fen"
    ANSWER = "answer_days"
    GRANTS = "grant_share_ppm"
    CODE = "product_code"
    LOT = "lot"


@dataclass(frozen=True)
class Candidate:
    """An eligible product and what the order looks at."""

    product_id: str
    product_code: str
    lender_id: str
    expected_cost_fen: int
    answer_days: int
    grant_share_ppm: int | None
    lot: str = ""


@dataclass(frozen=True)
class Ranked:
    """A candidate in its place; `behind_by` is the criterion that put it behind the one before, None for the first."""

    rank: int
    candidate: Candidate
    behind_by: Criterion | None


def rank(candidates: Sequence[Candidate]) -> tuple[Ranked, ...]:
    """Order by expected cost to the firm, promised answer time, grant history, product code, lot.

    Never by id, order of arrival or time; the same candidates in another order give the same ranks.
    """
    ordered = sorted(candidates, key=_key)
    ranked = []
    for position, candidate in enumerate(ordered):
        before = ordered[position - 1] if position else None
        ranked.append(Ranked(position + 1, candidate, _first_difference(before, candidate)))
    return tuple(ranked)


def first_of_each_lender(ranked: Sequence[Ranked], most: int) -> tuple[Ranked, ...]:
    """Return the best product of each lender, best first, at most so many lenders."""
    best: dict[str, Ranked] = {}
    for one in ranked:
        best.setdefault(one.candidate.lender_id, one)
    return tuple(best.values())[:most]


def lot_of(demand_key: str, lender_key: str, product_code: str) -> str:
    """Return the lot that decides between lenders with equal products for one demand."""
    return hashlib.sha256(f"{demand_key}|{lender_key}|{product_code}".encode()).hexdigest()


def demand_key_of(credit_code: str, submitted_at: datetime) -> str:
    """Return what stands for a demand in its lots: who asked and when, never a row's id."""
    return hashlib.sha256(f"{credit_code}|{submitted_at.astimezone(UTC).isoformat()}".encode()).hexdigest()


def _key(candidate: Candidate) -> tuple[int, int, int, str, str]:
    share = UNKNOWN_GRANT_SHARE_PPM if candidate.grant_share_ppm is None else candidate.grant_share_ppm
    return candidate.expected_cost_fen, candidate.answer_days, -share, candidate.product_code, candidate.lot


def _first_difference(before: Candidate | None, candidate: Candidate) -> Criterion | None:
    if before is None:
        return None
    for criterion, one, other in zip(Criterion, _key(before), _key(candidate), strict=True):
        if one != other:
            return criterion
    return Criterion.LOT
