"""Repairs over HTTP: a firm asks, two people of the operator decide."""

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
from xinyidai.objections.routes.doors import BY_FIRM, BY_PARTIES, BY_REVIEWER, BY_REVIEWER_PROVED, NEEDS_KEY
from xinyidai.objections.rules.repairs import RepairState
from xinyidai.objections.schemas import (
    RepairDetailOut,
    RepairIn,
    RepairOut,
    RepairPageOut,
    RepairRefusalIn,
    ToldOut,
)


@post(
    "/repairs",
    operation_id="FileRepair",
    summary="Ask for credit repair",
    description="A record against one's own firm that is made good: not before its shortest time of publication is"
    f" over.{NEEDS_KEY}",
    guards=[BY_FIRM],
)
async def file_repair(
    request: Request[object, object, State],
    data: JSONBody[RepairIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[RepairOut]:
    """File."""

    async def act() -> RepairOut:
        filed = await service.file_repair(
            session,
            viewer,
            data.record.of(viewer.organisation_id),
            severity=data.severity,
            listed_on=data.listed_on,
            text=data.text,
            document_ids=data.document_ids,
            is_declared=data.is_declared,
            now=now,
        )
        return RepairOut.of(filed)

    return await answer_once(request, session, viewer.organisation_id, data.model_dump(mode="json"), act)


@post(
    "/repairs/{repair_id:uuid}/withdraw",
    operation_id="WithdrawRepair",
    summary="Take a repair back",
    description="Before it is decided.",
    guards=[BY_FIRM],
    status_code=200,
)
async def withdraw_repair(
    repair_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> RepairOut:
    """Withdraw."""
    return RepairOut.of(await service.withdraw_repair(session, viewer, repair_id, now=now))


@post(
    "/repairs/{repair_id:uuid}/approve",
    operation_id="ApproveRepair",
    summary="Pass a review of a repair",
    description="The first, or the second by another person, an approver: then the record is let go.",
    guards=[BY_REVIEWER_PROVED],
    status_code=200,
)
async def approve_repair(
    repair_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> RepairOut:
    """Approve."""
    return RepairOut.of(await service.approve_repair(session, viewer, repair_id, now=now))


@post(
    "/repairs/{repair_id:uuid}/refuse",
    operation_id="RefuseRepair",
    summary="Refuse a repair",
    description=f"In either review, with a code that the firm is told.{NEEDS_KEY}",
    guards=[BY_REVIEWER],
    status_code=200,
)
async def refuse_repair(
    request: Request[object, object, State],
    repair_id: FromPath[UUID],
    data: JSONBody[RepairRefusalIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[RepairOut]:
    """Refuse."""

    async def act() -> RepairOut:
        return RepairOut.of(await service.refuse_repair(session, viewer, repair_id, code=data.code, now=now))

    asked = data.model_dump(mode="json")
    return await answer_once(request, session, viewer.organisation_id, asked, act, status_code=200)


@get(
    "/repairs",
    operation_id="ListRepairs",
    summary="Repairs",
    description="One's own, or all for operator and regulator; newest first.",
    guards=[BY_PARTIES],
)
async def list_repairs(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    status: FromQuery[RepairState | None] = None,
    cursor: FromQuery[str | None] = None,
    limit: FromQuery[int] = 50,
) -> RepairPageOut:
    """List."""
    states = [status] if status else []
    return RepairPageOut.of(await queries.repairs(session, viewer, states=states, cursor=cursor, limit=limit))


@get(
    "/repairs/{repair_id:uuid}",
    operation_id="ReadRepair",
    summary="One repair",
    description="With its text, but for the regulator. The look leaves an audit row.",
    guards=[BY_PARTIES],
)
async def read_repair(
    repair_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> RepairDetailOut:
    """Read."""
    found, told = await service.read_repair(session, viewer, repair_id, now=now)
    return RepairDetailOut(repair=RepairOut.of(found), told=ToldOut.of(told) if told else None)


HANDLERS = (file_repair, withdraw_repair, approve_repair, refuse_repair, list_repairs, read_repair)
