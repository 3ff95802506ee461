"""Scores, reviews, outcomes and model releases over HTTP."""

from datetime import datetime, timedelta
from uuid import UUID

from litestar import Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import OrganisationKind, Role, Viewer
from xinyidai.scoring import queries, service
from xinyidai.scoring.schemas import (
    OutcomesIn,
    OutcomesOut,
    ReleaseOut,
    ReleasesOut,
    ReviewAnswerIn,
    ReviewCaseOut,
    ReviewOut,
    ReviewPageOut,
    ReviewWishIn,
    ScoreOut,
)

FIRMS = (OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER)
REPORTERS = (OrganisationKind.LENDER, OrganisationKind.GUARANTOR, OrganisationKind.AGENCY)


@post(
    "/",
    operation_id="ScoreMyFirm",
    summary="Score my firm now",
    description="Scores the firm that asks from its invoices as known now, under its consent to the platform.",
    guards=[requires(*FIRMS, roles=(Role.OWNER, Role.OFFICER), scope="scores:write")],
)
async def score_my_firm(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> ScoreOut:
    """Score the viewer's own firm."""
    return ScoreOut.of(await service.score_own(session, viewer, now=now))


@get(
    "/latest",
    operation_id="ShowMyLatestScore",
    summary="My firm's latest score",
    description="The newest score of the firm that asks, of the last so many days, with its reasons.",
    guards=[requires(*FIRMS, scope="scores:read")],
)
async def show_my_latest_score(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    max_age_days: FromQuery[int] = 365,
) -> ScoreOut:
    """Show the viewer's newest score."""
    max_age = timedelta(days=max(1, min(max_age_days, 3_650)))
    return ScoreOut.of(await service.show_latest(session, viewer, max_age=max_age, now=now))


@get(
    "/{score_id:uuid}",
    operation_id="ShowMyScore",
    summary="One of my firm's scores",
    description="A score of the firm that asks, with its reasons.",
    guards=[requires(*FIRMS, scope="scores:read")],
)
async def show_my_score(
    score_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> ScoreOut:
    """Show one of the viewer's scores."""
    return ScoreOut.of(await service.show_score(session, viewer, score_id, now=now))


@post(
    "/{score_id:uuid}/review",
    operation_id="RequestScoreReview",
    summary="Have a person look at my score again",
    description="Every automated score may be looked at again by a person; one review of a score at a time.",
    guards=[requires(*FIRMS, roles=(Role.OWNER, Role.OFFICER), scope="scores:write")],
)
async def request_score_review(
    score_id: FromPath[UUID],
    data: JSONBody[ReviewWishIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> ReviewOut:
    """Ask for a review."""
    return ReviewOut.of(await service.request_review(session, viewer, score_id, wish=data.wish, now=now))


@get(
    "/",
    operation_id="ListScoreReviews",
    summary="Reviews that wait for a person",
    description="For the operator's officers, oldest first.",
    guards=[requires(OrganisationKind.OPERATOR, roles=(Role.OFFICER,))],
)
async def list_score_reviews(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    cursor: FromQuery[str | None] = None,
    limit: FromQuery[int] = 50,
) -> ReviewPageOut:
    """List the reviews that wait."""
    page = await service.reviews_waiting(session, viewer, cursor=cursor, limit=limit, now=now)
    return ReviewPageOut.of(page)


@get(
    "/{review_id:uuid}",
    operation_id="ShowScoreReview",
    summary="One review, with its score",
    description="For the operator's officers: what the firm wishes, and the score with its reasons. Written down.",
    guards=[requires(OrganisationKind.OPERATOR, roles=(Role.OFFICER,))],
)
async def show_score_review(
    review_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> ReviewCaseOut:
    """Show a review."""
    review, score = await service.read_review(session, viewer, review_id, now=now)
    return ReviewCaseOut(review=ReviewOut.of(review), score=ScoreOut.of(score))


@post(
    "/{review_id:uuid}/answer",
    operation_id="AnswerScoreReview",
    summary="Answer a review",
    description="Upheld or set aside, with a note for the firm; once.",
    guards=[requires(OrganisationKind.OPERATOR, roles=(Role.OFFICER,))],
)
async def answer_score_review(
    review_id: FromPath[UUID],
    data: JSONBody[ReviewAnswerIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> ReviewOut:
    """Answer a review."""
    answered = await service.answer_review(session, viewer, review_id, answer=data.answer, note=data.note, now=now)
    return ReviewOut.of(answered)


@post(
    "/",
    operation_id="ReportOutcomes",
    summary="Report what became of firms",
    description="A lender's or agency's list of outcomes; training uses them only where the firm allows it.",
    guards=[requires(*REPORTERS, roles=(Role.OFFICER,), scope="scores:write")],
)
async def report_outcomes(
    data: JSONBody[OutcomesIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> OutcomesOut:
    """Take a list of outcomes."""
    return OutcomesOut.of(await service.receive_outcomes(session, viewer, data.csv, now=now))


@get(
    "/",
    operation_id="ListModelReleases",
    summary="Model releases",
    description="The newest models, proposed, released or retired, with card and measures.",
    guards=[requires(OrganisationKind.OPERATOR, OrganisationKind.REGULATOR)],
)
async def list_model_releases(session: NamedDependency[AsyncSession], limit: FromQuery[int] = 50) -> ReleasesOut:
    """List model releases."""
    found = await queries.releases(session, limit=limit)
    return ReleasesOut(releases=[ReleaseOut.of(release) for release in found])


@post(
    "/{digest:str}/approve",
    operation_id="ApproveModelRelease",
    summary="Release a proposed model",
    description="The second person's act: the model is read again, checked against its digest, and released.",
    guards=[requires(OrganisationKind.OPERATOR, roles=(Role.APPROVER,), fresh=True)],
)
async def approve_model_release(
    digest: FromPath[str],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> ReleaseOut:
    """Release a model."""
    return ReleaseOut.of(await service.approve_release(session, viewer, digest, now=now))


scores = Router(
    path="/scores", route_handlers=[score_my_firm, show_my_latest_score, show_my_score, request_score_review]
)
reviews = Router(path="/score-reviews", route_handlers=[list_score_reviews, show_score_review, answer_score_review])
outcomes = Router(path="/outcomes", route_handlers=[report_outcomes])
models = Router(path="/model-releases", route_handlers=[list_model_releases, approve_model_release])

router = Router(path="/", route_handlers=[scores, reviews, outcomes, models], tags=["scoring"])
