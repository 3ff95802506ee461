"""The firm's profile and score, and asking a person to look at the score again."""

from datetime import datetime

from litestar import Response, get, post
from litestar.di import NamedDependency
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.demands import queries as demands
from xinyidai.demands.rules import ASKING
from xinyidai.desks.pages.firm import ALL, BY_FIRM, BY_FIRM_STAFF
from xinyidai.desks.pages.firm_home import SCORE_LASTS, scores_shown
from xinyidai.desks.pages.names import AnyRequest
from xinyidai.desks.pages.record_groups import record_groups
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.pages.forms import Form, act_once, answering, press
from xinyidai.foundation.pages.rendering import flash, page
from xinyidai.foundation.pages.words import msg
from xinyidai.objections import queries as objections
from xinyidai.profiles import model
from xinyidai.profiles import service as profiles
from xinyidai.profiles.rules.readings import in_words_en, in_words_zh
from xinyidai.scoring import queries as scores
from xinyidai.scoring import service as scoring
from xinyidai.scoring.rules.releases import MAX_WISH_CHARACTERS
from xinyidai.scoring.rules.scales import BANDS, MOST_POINTS
from xinyidai.scoring.rules.scores import ScoreView

PARTS_SHOWN = 6


@get("/firm/profile", guards=[BY_FIRM])
async def profile(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Show score, reasons, sales by month and every indicator."""
    return page(request, "desks/profile.html", await _profile_context(session, viewer, now=now), form=Form())


@post("/firm/profile/score", guards=[BY_FIRM_STAFF], status_code=200)
async def ask_for_score(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Score the firm at its wish."""
    context = await _profile_context(session, viewer, now=now)
    return await press(
        request,
        session,
        lambda refused: page(request, "desks/profile.html", context, form=refused),
        lambda: scoring.score_own(session, viewer, now=now),
        by=viewer.organisation_id,
        said=msg("评分已更新。"),
        to="/firm/profile",
    )


@get("/firm/profile/review", guards=[BY_FIRM_STAFF])
async def review_page(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Ask what a person should look at."""
    return _show_review(request, Form(), await _score(session, viewer, now=now))


@post("/firm/profile/review", guards=[BY_FIRM_STAFF], status_code=200)
async def ask_for_review(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Ask a person of the operator to look at the score again."""
    form, score = await Form.read(request), await _score(session, viewer, now=now)
    with answering(form, lambda refused: _show_review(request, refused, score)):
        wish = form.text("wish", missing=msg("请写明您认为哪里不对"), most=MAX_WISH_CHARACTERS)
        form.require_sound()

        async def act() -> str:
            await scoring.request_review(session, viewer, score.id, wish=wish, now=now)
            flash(request, msg("已申请人工复核。平台工作人员会核对后答复，评分在答复前不变。"))
            return "/firm/profile"

        return await act_once(request, session, form, act, by=viewer.organisation_id)


async def _score(session: AsyncSession, viewer: Viewer, *, now: datetime) -> ScoreView:
    found = await scores.latest_score(session, viewer.organisation_id, max_age=SCORE_LASTS, now=now)
    if found is None:
        raise NotFound
    return found


def _show_review(request: AnyRequest, form: Form, score: ScoreView) -> Response[bytes]:
    return page(request, "desks/review.html", form=form, score=score, most=MAX_WISH_CHARACTERS)


async def _profile_context(session: AsyncSession, viewer: Viewer, *, now: datetime) -> dict[str, object]:
    shown = await profiles.own_profile(session, viewer, now=now)
    sales = await profiles.own_sales(session, viewer, now=now) if shown.lineage.rows else ()
    texts = {text.code: text for text in model.indicator_texts()}
    readings = [
        (texts[one.code], in_words_zh(one.measure, one.value), in_words_en(one.measure, one.value))
        for one in shown.readings
    ]
    score, former = await scores_shown(session, viewer, now=now)
    asked = (await demands.demands_of(session, viewer, limit=ALL)).rows
    return {
        "shown": shown,
        "disputed_count": len(await objections.disputed_refs(session, [viewer.organisation_id], now)),
        "may_ask": all(one.state not in ASKING for one in asked),
        "readings": readings,
        "groups": await record_groups(session, shown.records, now=now),
        "sales": [(f"{one.month:%y-%m}", one.net_fen) for one in sales],
        "score": score,
        "former_score": former,
        "shares": _shares(score, {code: (text.name_zh, text.name_en) for code, text in texts.items()}),
        "most_points": MOST_POINTS,
        "bands": BANDS,
        "today": business_date(now),
    }


def _shares(score: ScoreView | None, names: dict[str, tuple[str, str]]) -> list[tuple[str, str, int]]:
    """Return the reasons' shares as (name_zh, name_en, thousandths of log-odds); above zero is less risk."""
    found = []
    for reason in (score.reasons or ()) if score else ():
        share, code = reason.get("share_micro"), str(reason["code"])
        if isinstance(share, int) and code in names:
            found.append((*names[code], -share // 1000))
    return found[:PARTS_SHOWN]


ROUTES = (profile, ask_for_score, review_page, ask_for_review)
