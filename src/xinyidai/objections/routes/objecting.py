"""Objections over HTTP: a firm disputes a fact, the operator accepts and asks, the source answers."""

from datetime import datetime
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.foundation.doors import answer_once
from xinyidai.objections import queries, service
from xinyidai.objections.routes.doors import (
    BY_ANSWERER,
    BY_CLOSER,
    BY_FIRM,
    BY_OPERATOR,
    BY_OVERSEERS,
    BY_PARTIES,
    NEEDS_KEY,
)
from xinyidai.objections.rules import ObjectionState
from xinyidai.objections.schemas import (
    LatenessOut,
    ObjectionDetailOut,
    ObjectionIn,
    ObjectionOut,
    ObjectionPageOut,
    ObjectionRefusalIn,
    ToldOut,
    UpholdIn,
)


@post(
    "/objections",
    operation_id="FileObjection",
    summary="Dispute a fact",
    description="One fact of one's own firm, with a reason, a text and documents handed in before. The fact is marked"
    f" as disputed until it is answered.{NEEDS_KEY}",
    guards=[BY_FIRM],
)
async def file_objection(
    request: Request[object, object, State],
    data: JSONBody[ObjectionIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[ObjectionOut]:
    """File."""

    async def act() -> ObjectionOut:
        filed = await service.file_objection(
            session,
            viewer,
            data.fact.of(viewer.organisation_id),
            reason=data.reason,
            text=data.text,
            document_ids=data.document_ids,
            now=now,
        )
        return ObjectionOut.of(filed)

    return await answer_once(request, session, viewer.organisation_id, data.model_dump(mode="json"), act)


@post(
    "/objections/{objection_id:uuid}/withdraw",
    operation_id="WithdrawObjection",
    summary="Take an objection back",
    description="Before it is answered; the fact is disputed no longer.",
    guards=[BY_FIRM],
    status_code=200,
)
async def withdraw_objection(
    objection_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> ObjectionOut:
    """Withdraw."""
    return ObjectionOut.of(await service.withdraw_objection(session, viewer, objection_id, now=now))


@post(
    "/objections/{objection_id:uuid}/accept",
    operation_id="AcceptObjection",
    summary="Accept for checking",
    description="The operator finds that the objection can be checked.",
    guards=[BY_OPERATOR],
    status_code=200,
)
async def accept_objection(
    objection_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> ObjectionOut:
    """Accept."""
    return ObjectionOut.of(await service.accept_objection(session, viewer, objection_id, now=now))


@post(
    "/objections/{objection_id:uuid}/ask",
    operation_id="AskSource",
    summary="Ask the source",
    description="The fact's sender sees the objection and its evidence from now on, and owes the answer.",
    guards=[BY_OPERATOR],
    status_code=200,
)
async def ask_source(
    objection_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> ObjectionOut:
    """Ask."""
    return ObjectionOut.of(await service.ask_source(session, viewer, objection_id, now=now))


@post(
    "/objections/{objection_id:uuid}/uphold",
    operation_id="UpholdObjection",
    summary="Grant an objection",
    description="The source, or the operator for it, says what is right or that the fact is void; a correction is"
    f" delivered in the same act. A client's key needs sources:write as well.{NEEDS_KEY}",
    guards=[BY_ANSWERER],
    status_code=200,
)
async def uphold_objection(
    request: Request[object, object, State],
    objection_id: FromPath[UUID],
    data: JSONBody[UpholdIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[ObjectionOut]:
    """Uphold."""

    async def act() -> ObjectionOut:
        return ObjectionOut.of(
            await service.uphold_objection(session, viewer, objection_id, correction=data.value(), now=now)
        )

    asked = data.model_dump(mode="json")
    return await answer_once(request, session, viewer.organisation_id, asked, act, status_code=200)


@post(
    "/objections/{objection_id:uuid}/refuse",
    operation_id="RefuseObjection",
    summary="Refuse an objection",
    description=f"With a code that the firm is told; the fact stays.{NEEDS_KEY}",
    guards=[BY_ANSWERER],
    status_code=200,
)
async def refuse_objection(
    request: Request[object, object, State],
    objection_id: FromPath[UUID],
    data: JSONBody[ObjectionRefusalIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[ObjectionOut]:
    """Refuse."""

    async def act() -> ObjectionOut:
        return ObjectionOut.of(await service.refuse_objection(session, viewer, objection_id, code=data.code, now=now))

    asked = data.model_dump(mode="json")
    return await answer_once(request, session, viewer.organisation_id, asked, act, status_code=200)


@post(
    "/objections/{objection_id:uuid}/close",
    operation_id="CloseObjection",
    summary="Close an answered objection",
    description="By its firm or the operator; the evidence is the firm's alone again.",
    guards=[BY_CLOSER],
    status_code=200,
)
async def close_objection(
    objection_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> ObjectionOut:
    """Close."""
    return ObjectionOut.of(await service.close_objection(session, viewer, objection_id, now=now))


@get(
    "/objections",
    operation_id="ListObjections",
    summary="Objections",
    description="One's own, those one was asked about, or all for operator and regulator; newest first.",
    guards=[BY_PARTIES],
)
async def list_objections(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    status: FromQuery[ObjectionState | None] = None,
    cursor: FromQuery[str | None] = None,
    limit: FromQuery[int] = 50,
) -> ObjectionPageOut:
    """List."""
    states = [status] if status else []
    return ObjectionPageOut.of(await queries.objections(session, viewer, states=states, cursor=cursor, limit=limit))


@get(
    "/objections/{objection_id:uuid}",
    operation_id="ReadObjection",
    summary="One objection",
    description="With its texts, but for the regulator. The look leaves an audit row.",
    guards=[BY_PARTIES],
)
async def read_objection(
    objection_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> ObjectionDetailOut:
    """Read."""
    found, told = await service.read_objection(session, viewer, objection_id, now=now)
    return ObjectionDetailOut(objection=ObjectionOut.of(found), told=ToldOut.of(told) if told else None)


@get(
    "/objections/lateness",
    operation_id="ListLateness",
    summary="Who owes firms answers",
    description="By party: open, overdue now, and how many it was ever late with. Counts only.",
    guards=[BY_OVERSEERS],
)
async def list_lateness(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> list[LatenessOut]:
    """List."""
    return [LatenessOut.of(one) for one in await queries.lateness(session, viewer, now=now)]


HANDLERS = (
    file_objection,
    withdraw_objection,
    accept_objection,
    ask_source,
    uphold_objection,
    refuse_objection,
    close_objection,
    list_objections,
    list_lateness,
    read_objection,
)
