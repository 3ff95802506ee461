"""Reads of scores, releases, outcomes and wishes for review. Row-level security holds them to the viewer's scope."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import Select, bindparam, func, select
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer
from sqlmodel import col

from xinyidai.access.rules import OrganisationKind, Viewer, requires_kind
from xinyidai.access.service import platform_scope
from xinyidai.consents.rules import Permission
from xinyidai.decisions import queries as decisions
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.paging import Page, after_id, limit_of, page_of
from xinyidai.objections import queries as objections
from xinyidai.scoring.models import ModelRelease, Outcome, ReviewRequest, Score, ScoreScale
from xinyidai.scoring.rules.outcomes import Observation
from xinyidai.scoring.rules.releases import (
    NoModelReleased,
    ReleaseState,
    ReleaseView,
    ReviewAnswer,
    ReviewState,
    ReviewView,
)
from xinyidai.scoring.rules.scales import Scale
from xinyidai.scoring.rules.scores import ScoreView, ServingScore
from xinyidai.sources import queries as sources

MAX_OBSERVATIONS = 5_000_000

_RELEASED = select(col(ModelRelease.digest)).where(col(ModelRelease.state) == ReleaseState.RELEASED.value)
_SCALE = (
    select(col(ScoreScale.version))
    .where(col(ScoreScale.valid_from) <= bindparam("day"))
    .order_by(col(ScoreScale.valid_from).desc())
    .limit(1)
)
_SERVING = (
    select(
        col(Score.decision_id),
        col(Score.pd_ppm),
        col(Score.score_points),
        col(Score.band),
        col(Score.known_at),
    )
    .where(
        col(Score.firm_id) == bindparam("firm_id"),
        col(Score.scored_at) > bindparam("since"),
        col(Score.scored_at) <= bindparam("now"),
        col(Score.as_of) == col(Score.known_at),
        col(Score.release_digest) == _RELEASED.scalar_subquery(),
        col(Score.scale_version) == _SCALE.scalar_subquery(),
    )
    .order_by(col(Score.scored_at).desc(), col(Score.id).desc())
    .limit(1)
)


async def latest_score(
    session: AsyncSession, firm_id: UUID, *, max_age: timedelta | None, now: datetime
) -> ScoreView | None:
    """Return a firm's newest score that is not older than `max_age` (None: however old), as far as one may see it.

    Looks at no consent: a room that shows the score to somebody asks for it first.
    """
    statement = (
        select(Score)
        .where(col(Score.firm_id) == firm_id, col(Score.scored_at) <= now)
        .order_by(col(Score.scored_at).desc(), col(Score.id).desc())
        .limit(1)
    )
    if max_age is not None:
        statement = statement.where(col(Score.scored_at) > now - max_age)
    row = (await session.execute(statement)).scalar_one_or_none()
    return None if row is None else (await _views(session, [row]))[0]


async def serving_score(
    session: AsyncSession, permission: Permission, firm_id: UUID, *, max_age: timedelta, now: datetime
) -> ServingScore | None:
    """Return a firm's newest score that may serve instead of a new one: nothing that it was made from has changed.

    It was made by the release and the scale in force now, of what was known at its own moment, and no fact of the firm
    has come or was corrected since. `permission` is for the firm's invoices, as for a new score.

    Raises
    ------
    ConsentMissing
        The database no longer lets the facts be read.
    """
    told = {"firm_id": firm_id, "since": now - max_age, "now": now, "day": business_date(now)}
    row = (await session.execute(_SERVING, told)).one_or_none()
    if row is None or await sources.has_newer(session, permission, known_at=row.known_at):
        return None
    if await objections.has_newer(session, firm_id, known_at=row.known_at, now=now):
        return None
    return ServingScore(row.decision_id, row.pd_ppm, row.score_points, row.band)


async def latest_scores(
    session: AsyncSession, firm_ids: Sequence[UUID], *, max_age: timedelta, now: datetime
) -> dict[UUID, ScoreView]:
    """Return the newest score of each of the firms that has one not older than `max_age`."""
    statement = (
        select(Score)
        .ext(distinct_on(col(Score.firm_id)))
        .where(col(Score.firm_id).in_(firm_ids), col(Score.scored_at) > now - max_age, col(Score.scored_at) <= now)
        .order_by(col(Score.firm_id), col(Score.scored_at).desc(), col(Score.id).desc())
    )
    rows = (await session.execute(statement)).scalars().all()
    return {view.firm_id: view for view in await _views(session, rows)}


async def score(session: AsyncSession, viewer: Viewer, score_id: UUID) -> ScoreView:
    """Return a score of the viewer's own organisation.

    Raises
    ------
    NotFound
        No such score, or somebody else's.
    """
    statement = select(Score).where(col(Score.id) == score_id, col(Score.firm_id) == viewer.organisation_id)
    row = (await session.execute(statement)).scalar_one_or_none()
    if row is None:
        raise NotFound
    return (await _views(session, [row]))[0]


async def score_of_review(session: AsyncSession, score_id: UUID) -> ScoreView:
    """Return the score that a wish for review is about; the caller has checked who asks. Needs platform scope."""
    return (await _views(session, [await session.get_one(Score, score_id)]))[0]


async def scores_by_decision(session: AsyncSession, decision_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """Return the ids of scores by those of their decisions, as far as the transaction may see them."""
    statement = select(col(Score.decision_id), col(Score.id)).where(col(Score.decision_id).in_(decision_ids))
    return {row.decision_id: row.id for row in await session.execute(statement)}


async def _views(session: AsyncSession, rows: Sequence[Score]) -> list[ScoreView]:
    told = await decisions.explanations(session, [row.decision_id for row in rows])
    return [
        ScoreView(
            id=row.id,
            decision_id=row.decision_id,
            firm_id=row.firm_id,
            pd_ppm=row.pd_ppm,
            score_points=row.score_points,
            band=row.band,
            as_of=row.as_of,
            known_at=row.known_at,
            scored_at=row.scored_at,
            release_digest=row.release_digest,
            scale_version=row.scale_version,
            reasons=told[row.decision_id].reasons if row.decision_id in told else None,
        )
        for row in rows
    ]


async def released(session: AsyncSession) -> ReleaseView | None:
    """Return the model in use, without its text; None when none is released."""
    statement = _releases().where(col(ModelRelease.state) == ReleaseState.RELEASED.value)
    row = (await session.execute(statement)).scalar_one_or_none()
    return None if row is None else release_view(row)


async def in_force(session: AsyncSession, day: date) -> tuple[str, Scale]:
    """Return the digest of the model in use and the scale of a Shanghai day, in one question.

    Raises
    ------
    NoModelReleased
    """
    digest = select(col(ModelRelease.digest)).where(col(ModelRelease.state) == ReleaseState.RELEASED.value)
    statement = (
        select(ScoreScale, digest.scalar_subquery())
        .where(col(ScoreScale.valid_from) <= day)
        .order_by(col(ScoreScale.valid_from).desc())
        .limit(1)
    )
    row = (await session.execute(statement)).one()
    if row[1] is None:
        raise NoModelReleased
    return row[1], _scale(row[0])


async def releases(session: AsyncSession, *, limit: int = 50) -> list[ReleaseView]:
    """Return the newest model releases, proposed, released or retired."""
    statement = _releases().order_by(col(ModelRelease.proposed_at).desc()).limit(limit_of(limit))
    return [release_view(row) for row in (await session.execute(statement)).scalars()]


async def bundle_text(session: AsyncSession, digest: str) -> str | None:
    """Return the text that is kept under a digest, unchecked."""
    statement = select(col(ModelRelease.bundle)).where(col(ModelRelease.digest) == digest)
    return (await session.execute(statement)).scalar_one_or_none()


async def scale_of(session: AsyncSession, version: str) -> Scale | None:
    """Return the scale of a version."""
    row = await session.get(ScoreScale, version)
    return None if row is None else _scale(row)


async def observations(session: AsyncSession, *, since: date, known_at: datetime) -> list[Observation]:
    """Return the outcomes observed on or after a day that were known at a moment; needs platform scope."""
    statement = (
        select(Outcome)
        .where(col(Outcome.observed_on) >= since, col(Outcome.known_at) <= known_at)
        .order_by(col(Outcome.id))
        .limit(MAX_OBSERVATIONS)
    )
    return [observation_of(row) for row in (await session.execute(statement)).scalars()]


async def outcomes_of(session: AsyncSession, firm_id: UUID) -> list[Observation]:
    """Return what was reported of a firm, as far as the transaction may see it, oldest first."""
    statement = select(Outcome).where(col(Outcome.firm_id) == firm_id).order_by(col(Outcome.id)).limit(1_000)
    return [observation_of(row) for row in (await session.execute(statement)).scalars()]


async def open_reviews(session: AsyncSession, *, cursor: str | None, limit: int) -> Page[ReviewView]:
    """Return the wishes for review that wait, oldest first, as far as the transaction may see them."""
    size = limit_of(limit)
    statement = (
        select(ReviewRequest)
        .where(col(ReviewRequest.state) == ReviewState.OPEN.value, col(ReviewRequest.id) > after_id(cursor))
        .order_by(col(ReviewRequest.id))
        .limit(size + 1)
    )
    rows = (await session.execute(statement)).scalars()
    return page_of([review_view(row) for row in rows], limit=size, id_of=lambda view: view.id)


async def open_review_count(session: AsyncSession, viewer: Viewer) -> int:
    """Return how many wishes for review wait: for the operator's people."""
    requires_kind(viewer, OrganisationKind.OPERATOR)
    statement = select(func.count()).where(col(ReviewRequest.state) == ReviewState.OPEN.value)
    async with platform_scope(session):
        return (await session.execute(statement)).scalar_one()


async def release(session: AsyncSession, digest: str) -> ReleaseView:
    """Return one model release, without its text.

    Raises
    ------
    NotFound
    """
    row = (await session.execute(_releases().where(col(ModelRelease.digest) == digest))).scalar_one_or_none()
    if row is None:
        raise NotFound
    return release_view(row)


def release_view(row: ModelRelease) -> ReleaseView:
    """Return a release's row as a value."""
    return ReleaseView(
        digest=row.digest,
        state=ReleaseState(row.state),
        feature_version=row.feature_version,
        metrics=dict(row.metrics),
        card=row.card,
        proposed_by=row.proposed_by,
        proposed_at=row.proposed_at,
        approved_by=row.approved_by,
        approved_at=row.approved_at,
    )


def review_view(row: ReviewRequest) -> ReviewView:
    """Return a wish's row as a value."""
    return ReviewView(
        id=row.id,
        score_id=row.score_id,
        decision_id=row.decision_id,
        firm_id=row.firm_id,
        wish=row.wish,
        asked_at=row.asked_at,
        state=ReviewState(row.state),
        answer=None if row.answer is None else ReviewAnswer(row.answer),
        note=row.note,
        answered_at=row.answered_at,
    )


def observation_of(row: Outcome) -> Observation:
    """Return an outcome's row as a value."""
    return Observation(
        firm_id=row.firm_id,
        loan_id=row.loan_id,
        reported_by=row.reported_by_organisation_id,
        is_default=row.is_default,
        observed_on=row.observed_on,
        known_at=row.known_at,
    )


def _releases() -> Select[ModelRelease]:
    return select(ModelRelease).options(defer(ModelRelease.bundle))  # type: ignore[arg-type]


def _scale(row: ScoreScale) -> Scale:
    return Scale(
        version=row.version,
        valid_from=row.valid_from,
        base_points=row.base_points,
        base_odds=row.base_odds,
        points_to_double=row.points_to_double,
        cut_points=tuple(row.cut_points),
    )
