"""Assembling what a matching is decided from (shelf, applicant's facts, lenders' standings), and recording it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.agreements import queries as agreements
from xinyidai.agreements.queries import AgreementView
from xinyidai.agreements.rules import TAKES_NEW_LOANS
from xinyidai.consents import queries as consent_reads
from xinyidai.consents import service as consents
from xinyidai.consents.rules import ConsentMissing, Permission, Purpose
from xinyidai.decisions import service as decisions
from xinyidai.demands import queries as demands
from xinyidai.demands.queries import DemandView
from xinyidai.demands.rules import ITEMS_OPENED_TO_LENDERS
from xinyidai.foundation.canonical import digest
from xinyidai.foundation.clock import add_months, business_date
from xinyidai.foundation.errors import Refusal
from xinyidai.matching import queries
from xinyidai.matching.models import Matching, Shelf
from xinyidai.matching.rules.eligibility import (
    RULES_VERSION,
    WHOLE_PPM,
    Decision,
    Fact,
    OnShelf,
    Standing,
    decide,
)
from xinyidai.matching.rules.offers import MatchingPolicy
from xinyidai.matching.rules.ranking import demand_key_of
from xinyidai.matching.rules.records import outcome_of, reasons_of, shelf_json, vector_of
from xinyidai.matching.rules.states import OPEN_TO_LENDER, DispatchState
from xinyidai.matching.service.shelf import open_shelf
from xinyidai.parties import queries as parties
from xinyidai.parties.rules import PLATFORM_ID, PartyId
from xinyidai.profiles import model
from xinyidai.profiles import service as profiles
from xinyidai.scoring import queries as scores
from xinyidai.scoring import service as scoring
from xinyidai.scoring.rules.scores import ScoreView, ServingScore

KIND = "match"
SCORE_KEEPS = timedelta(days=7)
"""How long a score serves again while nothing it was made from has changed: about as long as replacements and the
choice follow a matching. It is fair: all lenders of a demand see one score, whenever their turn comes.
"""


@dataclass(frozen=True)
class Reach:
    """Whom a demand could go to as this transaction saw it: the shelf, who was asked, whom the firm's consent allows.

    The demand is locked, so that nobody else asks meanwhile; the consent is looked at again at each dispatch.
    """

    shelf: Sequence[OnShelf]
    asked: Mapping[UUID, DispatchState]
    allowed: Collection[UUID]

    @property
    def is_with_somebody(self) -> bool:
        """Say whether it still lies before a lender."""
        return any(state in OPEN_TO_LENDER for state in self.asked.values())

    @property
    def has_anybody_new(self) -> bool:
        """Say whether a lender with an open product was not asked yet and may be."""
        return any(lender_id not in self.asked for lender_id in self.allowed)


@dataclass(frozen=True)
class Weighed:
    """What a matching would decide; nothing is recorded, and nobody is asked yet."""

    demand: DemandView
    policy: MatchingPolicy
    reach: Reach
    facts: Mapping[str, Fact]
    consent_ids: tuple[UUID, ...]
    standings: Mapping[str, Standing]
    decision: Decision

    @property
    def goes_on(self) -> bool:
        """Say whether a lender is left that fits and may still be asked."""
        return bool(self.decision.ranked) and len(self.reach.asked) < self.policy.lenders_in_all


@dataclass(frozen=True)
class Assembled(Weighed):
    """A matching that was decided and recorded in this transaction."""

    decision_id: UUID


async def reach_of(session: AsyncSession, demand: DemandView, *, now: datetime) -> Reach:
    """Return whom a locked demand could go to now. The session is in platform scope."""
    shelf = await open_shelf(session, business_date(now))
    asked = await queries.lenders_asked(session, demand.id)
    allowed = await consent_reads.receivers_allowed(
        session,
        demand.firm_id,
        purpose=Purpose.PRE_LOAN,
        item_codes=list(ITEMS_OPENED_TO_LENDERS),
        receiver_ids=[UUID(lender_id) for lender_id in {product.lender_id for product in shelf}],
        now=now,
    )
    return Reach(shelf, asked, allowed)


async def weigh(session: AsyncSession, demand: DemandView, reach: Reach, *, now: datetime) -> Weighed:
    """Gather facts and decide by the pure rules. The session is in platform scope.

    A missing consent to the platform, or no score, is a fact like others: products that ask for a score then fail.
    """
    policy = await queries.limits_on(session, business_date(now))
    facts, consent_ids = await applicant_facts(session, demand, reach.shelf, policy, now=now)
    lender_ids = {UUID(product.lender_id) for product in reach.shelf}
    standings = await standings_of(
        session, demand, lender_ids, policy, allowed=reach.allowed, asked=reach.asked, now=now
    )
    return Weighed(demand, policy, reach, facts, consent_ids, standings, decide(reach.shelf, facts, standings))


async def record(session: AsyncSession, weighed: Weighed, *, now: datetime) -> Assembled:
    """Record a matching with what it was decided from. The session is in platform scope."""
    demand, limits = weighed.demand, weighed.policy.effective_from.isoformat()
    shelf_digest = await _keep_shelf(session, weighed.reach.shelf, now=now)
    decision_id = await decisions.record(
        session,
        kind=KIND,
        subject_id=demand.firm_id,
        vector=vector_of(weighed.facts, weighed.standings),
        outcome=outcome_of(weighed.decision),
        reasons=reasons_of(weighed.decision),
        versions={"rules": RULES_VERSION, "shelf": shelf_digest.hex(), "limits": limits},
        consent_ids=weighed.consent_ids,
        now=now,
    )
    session.add(Matching(decision_id=decision_id, demand_id=demand.id, firm_id=demand.firm_id, matched_at=now))
    await session.flush()
    return Assembled(**vars(weighed), decision_id=decision_id)


async def assemble(session: AsyncSession, demand: DemandView, *, now: datetime) -> Assembled:
    """Weigh a locked demand as it stands now, and record it. The session is in platform scope."""
    reach = await reach_of(session, demand, now=now)
    return await record(session, await weigh(session, demand, reach, now=now), now=now)


async def applicant_facts(
    session: AsyncSession, demand: DemandView, shelf: Collection[OnShelf], policy: MatchingPolicy, *, now: datetime
) -> tuple[dict[str, Fact], tuple[UUID, ...]]:
    """Return what is known of the applicant, and the consents under which it was read."""
    party = await parties.party(session, demand.firm_id)
    exposure_fen = await exposure_before(session, demand.firm_id, now)
    assert demand.submitted_at is not None, "only a submitted demand is matched"
    facts: dict[str, Fact] = {
        "demand_id": str(demand.id),
        "demand_key": demand_key_of(party.credit_code or str(party.id), demand.submitted_at),
        "amount_fen": demand.amount_fen,
        "term_months": demand.term_months,
        "use": demand.use.value,
        "repayment_kind": demand.repayment_kind.value,
        "kind": party.kind.value,
        "region_code": party.region_code,
        "industry_code": party.industry_code,
        "age_months": months_between(party.established_on, business_date(now)),
        "staff": party.staff,
        "known_exposure_fen": exposure_fen,
        "exposure_with_demand_fen": exposure_fen + demand.amount_fen,
        "answer_working_days": policy.answer_working_days,
        "pd_ppm": None,
        "score_points": None,
        "score_band": None,
        "score_decision_id": None,
        "score_absent": None,
    }
    wanted = _indicators_wanted(shelf)
    facts |= dict.fromkeys(sorted(wanted))
    try:
        permission = await consents.require(
            session,
            receiver_id=PLATFORM_ID,
            subject_ids=[demand.firm_id],
            purpose=Purpose.PRE_LOAN,
            item_codes=list(ITEMS_OPENED_TO_LENDERS),
            now=now,
        )
    except ConsentMissing as missing:
        return facts | {"score_absent": missing.code}, ()
    facts |= await _score(session, permission, demand.firm_id, now=now)
    facts |= await _indicators(session, permission, demand.firm_id, wanted, now=now)
    return facts, permission.consent_ids


async def exposure_before(session: AsyncSession, firm_id: UUID, moment: datetime) -> int:
    """Return the exposure known just before a moment: what the same moment adds later cannot change it on replay."""
    return await demands.known_exposure_fen(session, firm_id, known_at=moment - timedelta(microseconds=1))


async def standings_of(
    session: AsyncSession,
    demand: DemandView,
    lender_ids: Collection[UUID],
    policy: MatchingPolicy,
    *,
    allowed: Collection[UUID],
    asked: Collection[UUID],
    now: datetime,
) -> dict[str, Standing]:
    """Return how each lender stands toward the demand now: consent, asked before, risk-sharing line, history."""
    listed = sorted(lender_ids)
    shares = await queries.grant_shares(session, listed, policy, now=now)
    lines = await lines_of(session, set(listed), demand.amount_fen, now=now)
    lenders = await parties.parties_by_id(session, listed)
    return {
        str(lender_id): replace(
            lines.get(lender_id, Standing(str(lender_id), has_consent=False)),
            has_consent=lender_id in allowed,
            was_asked=lender_id in asked,
            grant_share_ppm=shares.get(lender_id),
            lender_code=lenders[PartyId(lender_id)].credit_code,
        )
        for lender_id in listed
    }


async def lines_of(
    session: AsyncSession, lender_ids: set[UUID], amount_fen: int, *, now: datetime
) -> dict[UUID, Standing]:
    """Return how the line stands, for each lender with one in force, that this amount would be reserved on.

    That is the first line that takes it, in order of age, as the reservation looks for it; where none does, the first.
    """
    found: dict[UUID, list[AgreementView]] = {}
    for line in await agreements.lines_of_lenders(session, lender_ids, business_date(now)):
        found.setdefault(line.lender_id, []).append(line)
    free_fen = await agreements.available_fen_by_line(session, [line.id for lines in found.values() for line in lines])
    return {lender_id: _best_line(lines, free_fen, amount_fen) for lender_id, lines in found.items()}


def _best_line(lines: list[AgreementView], free_fen: Mapping[UUID, int], amount_fen: int) -> Standing:
    standings = []
    for line in sorted(lines, key=agreements.by_age):
        covered_ppm = WHOLE_PPM - line.shares.lender_ppm
        standing = Standing(
            lender_id=str(line.lender_id),
            has_consent=False,
            line=line.state.value,
            line_available_fen=free_fen[line.id],
            line_covered_ppm=covered_ppm,
            line_firm_cap_fen=line.per_firm_cap_fen,
            line_max_rate_bp=line.max_rate_bp,
        )
        if line.state in TAKES_NEW_LOANS and amount_fen * covered_ppm // WHOLE_PPM <= standing.line_available_fen:
            return standing
        standings.append(standing)
    return standings[0]


async def _score(session: AsyncSession, permission: Permission, firm_id: UUID, *, now: datetime) -> dict[str, Fact]:
    """Return the score that serves, or make one; without one, say which refusal stood in the way.

    A new delivery or correction, another release or scale, and the end of SCORE_KEEPS each make a new one.
    """
    score: ServingScore | ScoreView | None
    try:
        score = await scores.serving_score(session, permission, firm_id, max_age=SCORE_KEEPS, now=now)
        if score is None:
            score = await scoring.score_firm(session, permission, firm_id=firm_id, as_of=now, now=now)
    except Refusal as refusal:
        return {"score_absent": refusal.code}
    return {
        "pd_ppm": score.pd_ppm,
        "score_points": score.score_points,
        "score_band": score.band,
        "score_decision_id": str(score.decision_id),
    }


def _indicators_wanted(shelf: Collection[OnShelf]) -> set[str]:
    """Return the indicators that some clause on the shelf looks at; no other is read."""
    codes = {text.code for text in model.indicator_texts()}
    return codes & {clause.field for product in shelf for clause in product.clauses}


async def _indicators(
    session: AsyncSession, permission: Permission, firm_id: UUID, wanted: Collection[str], *, now: datetime
) -> dict[str, Fact]:
    """Return the wanted indicators as integers of their measure, None where there is no data."""
    if not wanted:
        return {}
    drawn = await profiles.draw(session, permission, as_of=now, known_at=now)
    readings = model.readings_of(drawn.vector_of(firm_id))
    return {reading.code: reading.value for reading in readings if reading.code in wanted}


def months_between(since: date | None, day: date) -> int | None:
    """Return the full months from a day to a later one; None where the first is unknown."""
    if since is None:
        return None
    months = (day.year - since.year) * 12 + day.month - since.month
    return months - (add_months(since, months) > day)


async def _keep_shelf(session: AsyncSession, shelf: Collection[OnShelf], *, now: datetime) -> bytes:
    told = shelf_json(list(shelf))
    shelf_digest = digest(told)
    await session.execute(
        insert(Shelf).values(digest=shelf_digest, products=told, recorded_at=now).on_conflict_do_nothing()
    )
    return shelf_digest
