"""What waits for people: scores to be looked at again, codes and accounts that need two, claims that lie at funds."""

from datetime import datetime
from typing import Final
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Role, Viewer
from xinyidai.desks.pages.names import AnyRequest, colleagues, names_of
from xinyidai.desks.pages.operator import BY_APPROVER_PROVED, BY_OFFICER, BY_OPERATOR, ROWS, who
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.pages.forms import Form, Show, act_once, answering, press
from xinyidai.foundation.pages.rendering import flash, page
from xinyidai.foundation.pages.words import msg
from xinyidai.parties import queries as parties
from xinyidai.parties import service as registry
from xinyidai.risk_sharing import queries as claims
from xinyidai.risk_sharing.queries import ClaimView
from xinyidai.risk_sharing.rules import UNPAID
from xinyidai.scoring import service as scoring
from xinyidai.scoring.rules.releases import MAX_WISH_CHARACTERS, ReviewAnswer, ReviewState

REVIEWS: Final = "/operator/reviews"


@get(REVIEWS, guards=[BY_OPERATOR])
async def list_reviews(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    cursor: FromQuery[str | None] = None,
) -> Response[bytes]:
    """List what waits; the scores for officers alone, who may read them."""
    return (await _shown(request, session, viewer, cursor, now=now))(Form())


@post("/operator/reviews/codes/{exception_id:uuid}/approve", guards=[BY_APPROVER_PROVED], status_code=200)
async def approve_code(
    request: AnyRequest,
    exception_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Admit a credit code that another person proposed."""
    return await press(
        request,
        session,
        await _shown(request, session, viewer, None, now=now),
        lambda: registry.approve_code_exception(session, viewer, exception_id, now=now),
        by=viewer.organisation_id,
        said=msg("信用代码例外已批准。"),
        to=REVIEWS,
    )


@get("/operator/reviews/{review_id:uuid}", guards=[BY_OFFICER])
async def show_review(
    request: AnyRequest,
    review_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show what a firm wishes, and the score with its reasons."""
    return page(request, "desks/operator_review.html", await _case(session, viewer, review_id, now=now), form=Form())


@post("/operator/reviews/{review_id:uuid}", guards=[BY_OFFICER], status_code=200)
async def answer_review(
    request: AnyRequest,
    review_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Answer a review."""
    form = await Form.read(request)
    context = await _case(session, viewer, review_id, now=now)
    with answering(form, lambda refused: page(request, "desks/operator_review.html", context, form=refused)):
        answer = form.choice("answer", ReviewAnswer, missing=msg("请选择复核结论"))
        note = form.text("note", missing=msg("请写明复核意见，企业会看到"), most=MAX_WISH_CHARACTERS)
        form.require_sound()

        async def act() -> str:
            await scoring.answer_review(session, viewer, review_id, answer=answer, note=note, now=now)
            flash(request, msg("复核结论已告知企业。"))
            return REVIEWS

        return await act_once(request, session, form, act, by=viewer.organisation_id)


async def _case(session: AsyncSession, viewer: Viewer, review_id: UUID, *, now: datetime) -> dict[str, object]:
    review, score = await scoring.read_review(session, viewer, review_id, now=now)
    return {
        "review": review,
        "score": score,
        "is_open": review.state is ReviewState.OPEN,
        "names": await names_of(session, [review.firm_id]),
    }


async def _shown(
    request: AnyRequest, session: AsyncSession, viewer: Viewer, cursor: str | None, *, now: datetime
) -> Show:
    """Read what the page needs and return what shows it with a form."""
    today = business_date(now)
    reviews = (
        await scoring.reviews_waiting(session, viewer, cursor=cursor, limit=ROWS, now=now)
        if Role.OFFICER in viewer.roles
        else None
    )
    firms = [one.firm_id for one in reviews.rows] if reviews else []
    codes = await parties.code_exceptions_waiting(session, viewer)
    recoveries = (
        (await parties.open_recoveries(session, viewer.organisation_id)).rows if Role.ADMIN in viewer.roles else ()
    )
    counts = await claims.claim_counts(session, viewer)
    lying: list[ClaimView] = []
    for state in UNPAID:
        lying += (await claims.claims(session, viewer, state=state, cursor=None, limit=ROWS)).rows
    lying.sort(key=lambda one: (one.filed_at, one.id))
    context = {
        **who(viewer),
        "reviews": reviews,
        "codes": codes,
        "recoveries": recoveries,
        "claims": lying[:ROWS],
        "lying": sum(counts.get(state, 0) for state in UNPAID),
        "people": await colleagues(session, viewer, [one.proposed_by for one in codes]),
        "names": await names_of(session, [*firms, *(one.lender_id for one in lying), *(one.fund_id for one in lying)]),
        "ages": {one.id: (today - business_date(one.filed_at)).days for one in lying},
    }
    return lambda form: page(request, "desks/operator_reviews.html", context, form=form)


ROUTES = (list_reviews, approve_code, show_review, answer_review)
