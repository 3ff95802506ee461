"""The human behind the machine: a firm may have a person look at its score again (PIPL article 24)."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import OrganisationKind, Role, Viewer, requires_kind, requires_role
from xinyidai.access.service import platform_scope
from xinyidai.audit import service as audit
from xinyidai.foundation.database import lock_key
from xinyidai.foundation.errors import NotFound, ValueRefused
from xinyidai.foundation.paging import Page
from xinyidai.scoring import queries
from xinyidai.scoring.models import ReviewRequest
from xinyidai.scoring.rules.releases import (
    MAX_WISH_CHARACTERS,
    ReviewAnswer,
    ReviewClosed,
    ReviewOpen,
    ReviewState,
    ReviewView,
)
from xinyidai.scoring.rules.scores import ScoreView


async def request_review(
    session: AsyncSession, viewer: Viewer, score_id: UUID, *, wish: str, now: datetime
) -> ReviewView:
    """Ask for a person to look at one of the viewer's own scores; one review of a score at a time.

    Raises
    ------
    NotFound
        No such score, or somebody else's.
    ReviewOpen
        A review of it is under way.
    """
    requires_kind(viewer, OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER)
    _requires_text("wish", wish, least=0)
    score = await queries.score(session, viewer, score_id)
    await lock_key(session, f"scoring.review:{score_id}")
    statement = select(col(ReviewRequest.id)).where(
        col(ReviewRequest.score_id) == score_id, col(ReviewRequest.state) == ReviewState.OPEN.value
    )
    if (await session.execute(statement)).scalar_one_or_none() is not None:
        raise ReviewOpen
    row = ReviewRequest(
        score_id=score.id,
        decision_id=score.decision_id,
        firm_id=score.firm_id,
        asked_by=viewer.principal_id,
        wish=wish,
        asked_at=now,
    )
    session.add(row)
    await session.flush()
    await _write_down(session, viewer, "scoring.review_requested", row, now=now)
    return queries.review_view(row)


async def reviews_waiting(
    session: AsyncSession, viewer: Viewer, *, cursor: str | None, limit: int, now: datetime
) -> Page[ReviewView]:
    """Return the wishes that wait for a person of the operator, oldest first; one audit row a page."""
    requires_kind(viewer, OrganisationKind.OPERATOR)
    requires_role(viewer, Role.OFFICER)
    async with platform_scope(session):
        page = await queries.open_reviews(session, cursor=cursor, limit=limit)
    await audit.write_down(
        session,
        viewer,
        action="scoring.reviews_listed",
        subject_ids=sorted({view.firm_id for view in page.rows}),
        object_kind="review_page",
        object_id=str(page.rows[0].id) if page.rows else "",
        now=now,
    )
    return page


async def read_review(
    session: AsyncSession, viewer: Viewer, review_id: UUID, *, now: datetime
) -> tuple[ReviewView, ScoreView]:
    """Return a wish for review and the score that it is about, to an officer of the operator; written down.

    Raises
    ------
    NotFound
    """
    requires_kind(viewer, OrganisationKind.OPERATOR)
    requires_role(viewer, Role.OFFICER)
    async with platform_scope(session):
        row = await session.get(ReviewRequest, review_id)
        if row is None:
            raise NotFound
        score = await queries.score_of_review(session, row.score_id)
    await _write_down(session, viewer, "scoring.review_read", row, now=now)
    return queries.review_view(row), score


async def answer_review(
    session: AsyncSession, viewer: Viewer, review_id: UUID, *, answer: ReviewAnswer, note: str, now: datetime
) -> ReviewView:
    """Answer a wish for review, once: a person of the operator, with the role officer.

    The score itself stays as it was made; a score set aside is for lenders and firm to know, and a new one may be
    asked for once the facts are corrected.

    Raises
    ------
    NotFound, ReviewClosed
        There is no such wish, or it was answered before.
    """
    requires_kind(viewer, OrganisationKind.OPERATOR)
    requires_role(viewer, Role.OFFICER)
    _requires_text("note", note, least=1)
    async with platform_scope(session):
        statement = select(ReviewRequest).where(col(ReviewRequest.id) == review_id).with_for_update()
        row = (await session.execute(statement)).scalar_one_or_none()
        if row is None:
            raise NotFound
        if row.state != ReviewState.OPEN:
            raise ReviewClosed
        row.state, row.answer, row.note = ReviewState.ANSWERED, answer, note
        row.answered_by, row.answered_at = viewer.principal_id, now
        session.add(row)
        await session.flush()
    await _write_down(session, viewer, "scoring.review_answered", row, now=now)
    return queries.review_view(row)


def _requires_text(field: str, typed: str, *, least: int) -> None:
    """Refuse a text that is too short, too long, or holds a NUL, which PostgreSQL cannot store."""
    if not least <= len(typed.strip()) <= len(typed) <= MAX_WISH_CHARACTERS or "\0" in typed:
        raise ValueRefused(field=field, why=f"{least} to {MAX_WISH_CHARACTERS} characters, without NUL")


async def _write_down(session: AsyncSession, viewer: Viewer, action: str, row: ReviewRequest, *, now: datetime) -> None:
    await audit.write_down(
        session,
        viewer,
        action=action,
        subject_ids=[row.firm_id],
        object_kind="review_request",
        object_id=str(row.id),
        now=now,
    )
