"""Showing a matching to the firm it is about, and the firm's profile to the lender that has its demand."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.access.service import platform_scope
from xinyidai.audit import service as audit
from xinyidai.consents.rules import ConsentMissing
from xinyidai.decisions import service as decisions
from xinyidai.decisions.rules import Reason
from xinyidai.demands import queries as demands
from xinyidai.foundation.canonical import Json
from xinyidai.foundation.errors import NotFound
from xinyidai.matching import queries
from xinyidai.matching.rules.states import OPEN_TO_LENDER
from xinyidai.matching.service.desk import requires_firm, requires_lender_desk
from xinyidai.profiles import service as profiles
from xinyidai.profiles.rules.months import MonthOfSales
from xinyidai.profiles.rules.record_readings import ProfileView
from xinyidai.scoring import queries as scores
from xinyidai.scoring.rules.scores import ScoreView

SCORE_SHOWN = timedelta(days=92)


@dataclass(frozen=True)
class MatchShown:
    """The newest matching of a demand; `reasons` is None once its inputs were destroyed at the end of retention."""

    decision_id: UUID
    matched_at: datetime
    ranked: Sequence[Json]
    refused: Sequence[Json]
    reasons: tuple[Reason, ...] | None


async def show_match(session: AsyncSession, viewer: Viewer, demand_id: UUID, *, now: datetime) -> MatchShown:
    """Tell the firm which products fit its demand, in which order, and every clause that failed on the others.

    Raises
    ------
    NotAllowed, NotFound
    """
    requires_firm(viewer)
    decision_id = await queries.newest_decision(session, viewer, demand_id)
    told = await decisions.explain(session, viewer, decision_id, now=now)
    ranked, refused = told.outcome["ranked"], told.outcome["refused"]
    assert isinstance(ranked, list), "an outcome of matching lists what is ranked"
    assert isinstance(refused, list), "an outcome of matching lists what is refused"
    return MatchShown(told.id, told.made_at, ranked, refused, told.reasons)


@dataclass(frozen=True)
class Applicant:
    """What a lender is shown of the firm whose demand lies before it; `score` is None where the firm has none."""

    profile: ProfileView
    sales: tuple[MonthOfSales, ...]
    score: ScoreView | None


async def show_application(session: AsyncSession, viewer: Viewer, dispatch_id: UUID, *, now: datetime) -> Applicant:
    """Show a lender profile, sales by month and score of its applicant, while the firm's consent holds.

    The score is the firm's newest of the last SCORE_SHOWN; its date stands beside it. Refusals as of `show_applicant`.
    """
    profile = await show_applicant(session, viewer, dispatch_id, now=now)
    sales = await profiles.sales_of(session, viewer, profile.firm_id, now=now)
    async with platform_scope(session):
        score = await scores.latest_score(session, profile.firm_id, max_age=SCORE_SHOWN, now=now)
        if score is not None:
            await audit.write_down(
                session,
                viewer,
                action="scoring.score_shown",
                subject_ids=[profile.firm_id],
                object_kind="score",
                object_id=str(score.id),
                now=now,
            )
    return Applicant(profile, sales, score)


async def show_applicant(session: AsyncSession, viewer: Viewer, dispatch_id: UUID, *, now: datetime) -> ProfileView:
    """Show a lender the profile of the firm whose demand lies before it, while the firm's consent holds.

    Raises
    ------
    NotAllowed, NotFound
        `NotFound` also once the dispatch or the consent has ended: what was open then is closed now.
    """
    requires_lender_desk(viewer)
    dispatch = await queries.dispatch(session, viewer, dispatch_id)
    if dispatch.state not in OPEN_TO_LENDER:
        raise NotFound
    if not await demands.is_open_to(session, viewer, dispatch.demand_id, now=now):
        raise NotFound
    try:
        return await profiles.profile_of(session, viewer, dispatch.firm_id, now=now)
    except ConsentMissing:
        raise NotFound from None
