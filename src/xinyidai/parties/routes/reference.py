"""Regions, industries, and legal exceptions to the check digit."""

from datetime import date, datetime
from uuid import UUID

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import OrganisationKind, Role, Viewer
from xinyidai.foundation.clock import business_date
from xinyidai.parties import queries, service
from xinyidai.parties.schemas.reference import (
    CodeExceptionIn,
    CodeExceptionOut,
    CreatedOut,
    IndustryOut,
    OfficialCodeIn,
    RegionOut,
    RegionsOut,
    SuccessorOut,
)

BY_OPERATOR = OrganisationKind.OPERATOR
ANYBODY = {"public": True}


@get(
    "/regions",
    operation_id="ListRegions",
    summary="Regions of a day",
    description="Districts and counties as of a day, today when none is named: 38 before 2025-11-06, 37 since.",
    opt=ANYBODY,
    security=[{}],
)
async def list_regions(
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    on: FromQuery[date | None] = None,
    with_zones: FromQuery[bool] = False,
) -> RegionsOut:
    """List regions."""
    day = on or business_date(now)
    return RegionsOut(
        on=day,
        regions=[RegionOut.of(view) for view in await queries.regions_on(session, day, with_zones=with_zones)],
        successors=[SuccessorOut.of(one) for one in await queries.successors(session)],
    )


@post(
    "/regions/{code:str}/official-code",
    operation_id="RecordOfficialCode",
    summary="Record a region's official code",
    description="For a region known by a local code only. What was believed before stays on record.",
    guards=[requires(BY_OPERATOR, roles=(Role.ADMIN,))],
)
async def record_official_code(
    code: FromPath[str],
    data: JSONBody[OfficialCodeIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> RegionOut:
    """Record an official code."""
    return RegionOut.of(
        await service.correct_region(session, viewer, code=code, gb_code=data.gb_code, note=data.note, now=now)
    )


@get(
    "/industries",
    operation_id="ListIndustries",
    summary="Industry sections",
    description="The sections of GB/T 4754 in force on a day, today when none is named.",
    opt=ANYBODY,
    security=[{}],
)
async def list_industries(
    session: NamedDependency[AsyncSession], now: NamedDependency[datetime], on: FromQuery[date | None] = None
) -> list[IndustryOut]:
    """List industries."""
    return [IndustryOut.of(view) for view in await queries.industries_on(session, on or business_date(now))]


@post(
    "/credit-code-exceptions",
    operation_id="ProposeCodeException",
    summary="Propose a legal exception",
    description="A credit code that is legal though its check digit fails. It counts once a second person approves.",
    guards=[requires(BY_OPERATOR, roles=(Role.OFFICER,), fresh=True)],
)
async def propose_code_exception(
    data: JSONBody[CodeExceptionIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> CreatedOut:
    """Propose an exception."""
    return CreatedOut(
        id=await service.propose_code_exception(
            session, viewer, credit_code=data.credit_code, reason=data.reason, now=now
        )
    )


@get(
    "/credit-code-exceptions",
    operation_id="ListCodeExceptions",
    summary="Legal exceptions that wait",
    description="Proposed by one person of the operator's and not yet approved by another, oldest first.",
    guards=[requires(BY_OPERATOR)],
)
async def list_code_exceptions(
    viewer: NamedDependency[Viewer], session: NamedDependency[AsyncSession]
) -> list[CodeExceptionOut]:
    """List exceptions that wait."""
    return [CodeExceptionOut.of(view) for view in await queries.code_exceptions_waiting(session, viewer)]


@post(
    "/credit-code-exceptions/{exception_id:uuid}/approve",
    operation_id="ApproveCodeException",
    summary="Approve a legal exception",
    description="By another person of the operator's than who proposed it.",
    guards=[requires(BY_OPERATOR, roles=(Role.APPROVER,), fresh=True)],
    status_code=204,
)
async def approve_code_exception(
    exception_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> None:
    """Approve an exception."""
    await service.approve_code_exception(session, viewer, exception_id, now=now)


ROUTES = (
    list_regions,
    record_official_code,
    list_industries,
    propose_code_exception,
    list_code_exceptions,
    approve_code_exception,
)
