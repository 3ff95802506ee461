"""Scoring models: proposed by one person with a command, released by another here."""

from datetime import datetime
from typing import Final

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.desks.pages.names import AnyRequest, colleagues
from xinyidai.desks.pages.operator import BY_APPROVER_PROVED, BY_OPERATOR, who
from xinyidai.foundation.pages.forms import Form, press
from xinyidai.foundation.pages.rendering import page
from xinyidai.foundation.pages.words import msg
from xinyidai.scoring import queries, service

MEASURES: Final = ("auc_ppm", "auc_low_ppm", "auc_high_ppm", "ks_ppm", "brier_ppm", "log_loss_ppm", "firms", "defaults")


@get("/operator/models", guards=[BY_OPERATOR])
async def list_models(
    request: AnyRequest, viewer: NamedDependency[Viewer], session: NamedDependency[AsyncSession]
) -> Response[bytes]:
    """List the newest models, proposed, in use or retired."""
    found = await queries.releases(session)
    people = await colleagues(session, viewer, [one.proposed_by for one in found])
    return page(request, "desks/operator_models.html", who(viewer), found=found, people=people)


@get("/operator/models/{digest:str}", guards=[BY_OPERATOR])
async def show_model(
    request: AnyRequest,
    digest: FromPath[str],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
) -> Response[bytes]:
    """Show a model: its measures beside those of the one in use, its card, who proposed and who released it."""
    return page(request, "desks/operator_model.html", await _context(session, viewer, digest), form=Form())


@post("/operator/models/{digest:str}/release", guards=[BY_APPROVER_PROVED], status_code=200)
async def release_model(
    request: AnyRequest,
    digest: FromPath[str],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Release a model that another person proposed."""
    context = await _context(session, viewer, digest)
    return await press(
        request,
        session,
        lambda form: page(request, "desks/operator_model.html", context, form=form),
        lambda: service.approve_release(session, viewer, digest, now=now),
        by=viewer.organisation_id,
        said=msg("模型已发布，新的评分即用此模型；原模型已停用。"),
        to=f"/operator/models/{digest}",
        must_tick=("checked", msg("请确认您已核对模型卡和指标")),
    )


async def _context(session: AsyncSession, viewer: Viewer, digest: str) -> dict[str, object]:
    one = await queries.release(session, digest)
    return {
        **who(viewer),
        "one": one,
        "measures": MEASURES,
        "in_use": await queries.released(session),
        "people": await colleagues(session, viewer, [one.proposed_by, one.approved_by]),
    }


ROUTES = (list_models, show_model, release_model)
