"""How matchings are made again: from the vector and the shelf it names by the pure rules; and what of the vector can
be read again.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.decisions import queries as decision_reads
from xinyidai.decisions.queries import register_records
from xinyidai.decisions.rules import Decided, Outcome, Vector
from xinyidai.decisions.service import register_replayer
from xinyidai.demands import queries as demands
from xinyidai.foundation.canonical import digest
from xinyidai.matching import queries
from xinyidai.matching.models import Shelf
from xinyidai.matching.rules.eligibility import REPLAYABLE, Fact, OnShelf, decide
from xinyidai.matching.rules.records import APPLICANT, facts_of, outcome_of, product_of, standings_of
from xinyidai.matching.service.assembling import KIND, exposure_before

_NOT_MADE: Outcome = {}


class MatchReplayer:
    """Matches again what was matched; needs platform scope."""

    async def outcomes_from_vectors(self, session: AsyncSession, decided: Sequence[Decided]) -> Sequence[Outcome]:
        """Decide again; a shelf that was altered, or rules of another version, make no outcome at all."""
        shelves = await _shelves(session, {one.versions["shelf"] for one in decided})
        return [_again(one, shelves) for one in decided]

    async def vectors_from_facts(
        self, session: AsyncSession, decided: Sequence[Decided], *, now: datetime
    ) -> Sequence[Vector | None]:
        """Read again what is kept of each moment: the demand's terms, the exposure known then, the score it was given.

        Where a lender stood and where the firm sat at that moment live in the vector alone: they are taken as recorded.
        """
        return [await _vector_again(session, one) for one in decided]


def _again(one: Decided, shelves: Mapping[str, Sequence[OnShelf]]) -> Outcome:
    shelf = shelves.get(one.versions["shelf"])
    if shelf is None or one.versions["rules"] not in REPLAYABLE:
        return _NOT_MADE
    return outcome_of(decide(shelf, facts_of(one.vector), standings_of(one.vector)))


async def _shelves(session: AsyncSession, names: set[str]) -> dict[str, list[OnShelf]]:
    wanted = [bytes.fromhex(name) for name in sorted(names)]
    rows = (await session.execute(select(Shelf).where(col(Shelf.digest).in_(wanted)))).scalars()
    return {
        row.digest.hex(): [product_of(told) for told in row.products if isinstance(told, Mapping)]
        for row in rows
        if digest(row.products) == row.digest
    }


async def _vector_again(session: AsyncSession, one: Decided) -> Vector | None:
    again: dict[str, Fact] = dict(one.vector)
    demand = await demands.demand_by_id(session, UUID(str(one.vector[f"{APPLICANT}demand_id"])))
    if demand is None:
        return None
    exposure_fen = await exposure_before(session, one.subject_id, one.made_at)
    facts: dict[str, Fact] = {
        "amount_fen": demand.amount_fen,
        "term_months": demand.term_months,
        "use": demand.use.value,
        "repayment_kind": demand.repayment_kind.value,
        "known_exposure_fen": exposure_fen,
        "exposure_with_demand_fen": exposure_fen + demand.amount_fen,
    }
    score_id = one.vector[f"{APPLICANT}score_decision_id"]
    if score_id is not None:
        scores = await decision_reads.explanations(session, [UUID(str(score_id))])
        outcome = scores[UUID(str(score_id))].outcome
        for field, name in (("pd_ppm", "pd_ppm"), ("score_points", "score_points"), ("score_band", "band")):
            value = outcome[name]
            facts[field] = value if isinstance(value, int) else None
    return again | {f"{APPLICANT}{field}": value for field, value in facts.items()}


register_replayer(KIND, MatchReplayer())
register_records(KIND, "demand", queries.demands_by_decision)
