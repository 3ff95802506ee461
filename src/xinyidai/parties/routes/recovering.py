"""Recovering an account."""

from datetime import datetime
from uuid import UUID

from litestar import Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import Role, Viewer
from xinyidai.foundation.database import in_transaction
from xinyidai.parties import queries, service
from xinyidai.parties.schemas.joining import (
    AccountRecoveryOut,
    AccountRecoveryPageOut,
    EmailIn,
    NewPasswordIn,
    RecoverAloneIn,
    RecoveryLinkOut,
)
from xinyidai.parties.schemas.reference import CreatedOut

BY_ADMINISTRATOR = requires(roles=(Role.ADMIN, Role.OWNER))
BY_ADMINISTRATOR_PROVED = requires(roles=(Role.ADMIN, Role.OWNER), fresh=True)
ANYBODY = {"public": True}

AnyRequest = Request[object, object, State]


@post(
    "/account-recoveries",
    operation_id="AskAccountRecovery",
    summary="Ask for a colleague's account to be recovered",
    description=(
        "For a member who belongs to no other organisation; the operator's administrators ask for anybody. Another "
        "administrator of the same desk confirms within 24 hours."
    ),
    guards=[BY_ADMINISTRATOR_PROVED],
)
async def ask_recovery(
    data: JSONBody[EmailIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> CreatedOut:
    """Ask for a recovery."""
    return CreatedOut(id=await service.ask_recovery(session, viewer, email=data.email, now=now))


@get(
    "/account-recoveries",
    operation_id="ListAccountRecoveries",
    summary="Recoveries that wait for a second administrator",
    description="Of my desk, oldest first.",
    guards=[BY_ADMINISTRATOR],
)
async def list_recoveries(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    cursor: FromQuery[str | None] = None,
    limit: FromQuery[int] = 50,
) -> AccountRecoveryPageOut:
    """List recoveries that wait."""
    page = await queries.open_recoveries(session, viewer.organisation_id, cursor=cursor, limit=limit)
    return AccountRecoveryPageOut(
        recoveries=[AccountRecoveryOut.of(view) for view in page.rows], next_cursor=page.next_cursor
    )


@post(
    "/account-recoveries/{recovery_id:uuid}/confirm",
    operation_id="ConfirmAccountRecovery",
    summary="Confirm a recovery that another asked for",
    description=(
        "Never by who asked, nor by the person. The one-time link is in this answer and nowhere else, lasts 30 "
        "minutes, and is handed to the person outside the platform."
    ),
    guards=[BY_ADMINISTRATOR_PROVED],
    status_code=200,
)
async def confirm_recovery(
    recovery_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> RecoveryLinkOut:
    """Confirm a recovery."""
    return RecoveryLinkOut.of(await service.confirm_recovery(session, viewer, recovery_id, now=now))


@post(
    "/account-recovery/complete",
    operation_id="CompleteAccountRecovery",
    summary="Set a new password by a recovery's link",
    description="The second factor is removed and every session ends. The token travels in the body, not in the path.",
    opt=ANYBODY,
    security=[{}],
    status_code=204,
)
async def complete_recovery(
    data: JSONBody[NewPasswordIn], session: NamedDependency[AsyncSession], now: NamedDependency[datetime]
) -> None:
    """Complete a recovery."""
    await service.complete_recovery(session, data.token, password=data.password, now=now)


@post(
    "/account-recovery/code",
    operation_id="SendAccountRecoveryCode",
    summary="Send a recovery code",
    description=(
        "To a person of a firm or sole trader, in a sandbox only, as a simulated message; elsewhere refused with "
        "`account_recovery_needs_operator`. The answer is the same whether the email has an account or not."
    ),
    opt=ANYBODY,
    security=[{}],
    status_code=204,
)
async def send_recovery_code(
    data: JSONBody[EmailIn], session: NamedDependency[AsyncSession], now: NamedDependency[datetime]
) -> None:
    """Send a recovery code."""
    await service.send_recovery_code(session, email=data.email, now=now)


@post(
    "/account-recovery/alone",
    operation_id="RecoverAccountAlone",
    summary="Set a new password by a recovery code",
    description=(
        "For people of firms and sole traders, who have no second administrator: one of the recovery codes of the "
        "enrolment, or in a sandbox the code of a message. Every session ends; the second factor stays."
    ),
    opt=ANYBODY,
    security=[{}],
    status_code=204,
)
async def recover_alone(request: AnyRequest, data: JSONBody[RecoverAloneIn], now: NamedDependency[datetime]) -> None:
    """Recover alone, in a transaction of its own: a failure must be counted before the refusal is raised."""
    async with in_transaction(request.app.state.sessions) as session:
        refusal = await service.recover_alone(
            session, email=data.email, code=data.code, password=data.password, now=now
        )
    if refusal is not None:
        raise refusal


ROUTES = (ask_recovery, list_recoveries, confirm_recovery, complete_recovery, send_recovery_code, recover_alone)
