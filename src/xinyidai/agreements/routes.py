"""The doors of agreements: lines and money by two people, and who may look at them."""

from datetime import datetime
from uuid import UUID

from litestar import Request, Response, Router, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import OrganisationKind, Role, Viewer
from xinyidai.agreements import queries, service
from xinyidai.agreements.rules import LineReason
from xinyidai.agreements.schemas import (
    AgreementIn,
    AgreementOut,
    AgreementPageOut,
    CapacityOut,
    CashOut,
    PayInIn,
    PayInOut,
)
from xinyidai.foundation.doors import answer_once

FUND_DESK = (OrganisationKind.FUND, OrganisationKind.OPERATOR)
PAYERS = (OrganisationKind.FUND, OrganisationKind.GUARANTOR, OrganisationKind.OPERATOR)
MAKERS = (Role.OFFICER, Role.APPROVER)
BY_PARTIES = requires(
    OrganisationKind.LENDER,
    OrganisationKind.FUND,
    OrganisationKind.GUARANTOR,
    OrganisationKind.OPERATOR,
    OrganisationKind.REGULATOR,
    scope="agreements:read",
)


@post(
    "/agreements",
    operation_id="ProposeAgreement",
    summary="Propose a line",
    description="Write down the terms of a risk-sharing line; it takes no loans until another person approves it.",
    guards=[requires(*FUND_DESK, roles=MAKERS)],
)
async def propose_agreement(
    data: JSONBody[AgreementIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> AgreementOut:
    """Propose."""
    proposal = service.Proposal(
        name=data.name,
        fund_id=data.fund_id,
        lender_id=data.lender_id,
        guarantor_id=data.guarantor_id,
        terms=data.terms(),
    )
    agreement_id = await service.propose_agreement(session, viewer, proposal, now=now)
    return AgreementOut.of(await queries.seen_agreement(session, viewer, agreement_id))


@post(
    "/agreements/{agreement_id:uuid}/approve",
    operation_id="ApproveAgreement",
    summary="Open a proposed line",
    description="Another person of the fund opens the line: its accounts are made and its capacity posted."
    " Needs the header Idempotency-Key.",
    guards=[requires(*FUND_DESK, roles=(Role.APPROVER,), fresh=True)],
    status_code=200,
)
async def approve_agreement(
    request: Request[object, object, State],
    agreement_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[AgreementOut]:
    """Approve."""

    async def act() -> AgreementOut:
        return AgreementOut.of(await service.approve_agreement(session, viewer, agreement_id, now=now))

    return await answer_once(request, session, viewer.organisation_id, None, act, status_code=200)


@get(
    "/agreements",
    operation_id="ListAgreements",
    summary="Lines",
    description="The lines that the viewer is a party to; all for operator and regulator.",
    guards=[BY_PARTIES],
)
async def list_agreements(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    cursor: FromQuery[str | None] = None,
    limit: FromQuery[int] = 50,
) -> AgreementPageOut:
    """List."""
    return AgreementPageOut.of(await queries.agreements(session, viewer, cursor=cursor, limit=limit))


@get(
    "/agreements/{agreement_id:uuid}",
    operation_id="ReadAgreement",
    summary="One line",
    description="The terms and the state of a line.",
    guards=[BY_PARTIES],
)
async def read_agreement(
    agreement_id: FromPath[UUID], viewer: NamedDependency[Viewer], session: NamedDependency[AsyncSession]
) -> AgreementOut:
    """Read."""
    return AgreementOut.of(await queries.seen_agreement(session, viewer, agreement_id))


@get(
    "/agreements/{agreement_id:uuid}/capacity",
    operation_id="ReadCapacity",
    summary="A line's free capacity",
    description="Covered principal that the line can still take, from the ledger.",
    guards=[BY_PARTIES],
)
async def read_capacity(
    agreement_id: FromPath[UUID], viewer: NamedDependency[Viewer], session: NamedDependency[AsyncSession]
) -> CapacityOut:
    """Read the capacity."""
    line, available_fen = await queries.seen_capacity(session, viewer, agreement_id)
    return CapacityOut(agreement_id=line.id, capacity_fen=line.capacity_fen, available_fen=available_fen)


@post(
    "/agreements/{agreement_id:uuid}/pause",
    operation_id="PauseLine",
    summary="Pause a line",
    description="Stop new loans under a line. One person may pause it; two reopen it.",
    guards=[requires(*FUND_DESK, roles=MAKERS)],
    status_code=200,
)
async def pause_line(
    agreement_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> AgreementOut:
    """Pause."""
    await service.pause_line(session, agreement_id, viewer=viewer, reason=LineReason.UNDER_REVIEW, now=now)
    return AgreementOut.of(await queries.seen_agreement(session, viewer, agreement_id))


@post(
    "/agreements/{agreement_id:uuid}/watch",
    operation_id="WatchLine",
    summary="Put a line under watch",
    description="The line still takes loans, and everybody sees that it is watched.",
    guards=[requires(*FUND_DESK, roles=MAKERS)],
    status_code=200,
)
async def watch_line(
    agreement_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> AgreementOut:
    """Watch."""
    await service.watch_line(session, viewer, agreement_id, now=now)
    return AgreementOut.of(await queries.seen_agreement(session, viewer, agreement_id))


@post(
    "/agreements/{agreement_id:uuid}/propose-reopening",
    operation_id="ProposeReopening",
    summary="Propose to reopen a line",
    description="The line stays as it is until another person approves.",
    guards=[requires(*FUND_DESK, roles=MAKERS)],
    status_code=200,
)
async def propose_reopening(
    agreement_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> AgreementOut:
    """Propose a reopening."""
    await service.propose_reopening(session, viewer, agreement_id, now=now)
    return AgreementOut.of(await queries.seen_agreement(session, viewer, agreement_id))


@post(
    "/agreements/{agreement_id:uuid}/reopen",
    operation_id="ReopenLine",
    summary="Reopen a line",
    description="Another person than who proposed it lets the line take loans again.",
    guards=[requires(*FUND_DESK, roles=(Role.APPROVER,), fresh=True)],
    status_code=200,
)
async def reopen_line(
    agreement_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> AgreementOut:
    """Reopen."""
    await service.approve_reopening(session, viewer, agreement_id, now=now)
    return AgreementOut.of(await queries.seen_agreement(session, viewer, agreement_id))


@post(
    "/pay-ins",
    operation_id="DeclarePayIn",
    summary="Declare money paid in",
    description="A fund or guarantor set money aside to pay claims with. Needs the header Idempotency-Key.",
    guards=[requires(*PAYERS, roles=MAKERS)],
)
async def declare_pay_in(
    request: Request[object, object, State],
    data: JSONBody[PayInIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[PayInOut]:
    """Declare."""

    async def act() -> PayInOut:
        declared = await service.declare_pay_in(
            session,
            viewer,
            payer_id=data.payer_id,
            amount_fen=data.amount_fen,
            reference=data.reference,
            paid_on=data.paid_on,
            now=now,
        )
        return PayInOut.of(declared)

    return await answer_once(request, session, viewer.organisation_id, data.model_dump(mode="json"), act)


@post(
    "/pay-ins/{pay_in_id:uuid}/confirm",
    operation_id="ConfirmPayIn",
    summary="Confirm money paid in",
    description="Another person confirms it on the bank statement and it is posted. Needs the header Idempotency-Key.",
    guards=[requires(*PAYERS, roles=(Role.APPROVER,), fresh=True)],
)
async def confirm_pay_in(
    request: Request[object, object, State],
    pay_in_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[PayInOut]:
    """Confirm."""

    async def act() -> PayInOut:
        return PayInOut.of(await service.confirm_pay_in(session, viewer, pay_in_id, now=now))

    return await answer_once(request, session, viewer.organisation_id, None, act)


@get(
    "/payers/{payer_id:uuid}/cash",
    operation_id="ReadCash",
    summary="Money to pay claims with",
    description="What a fund or guarantor has paid in and not paid out, from the ledger.",
    guards=[requires(*PAYERS, OrganisationKind.REGULATOR, scope="agreements:read")],
)
async def read_cash(
    payer_id: FromPath[UUID], viewer: NamedDependency[Viewer], session: NamedDependency[AsyncSession]
) -> CashOut:
    """Read the cash."""
    return CashOut(payer_id=payer_id, cash_fen=await queries.seen_cash_fen(session, viewer, payer_id))


router = Router(
    path="/",
    route_handlers=[
        propose_agreement,
        approve_agreement,
        list_agreements,
        read_agreement,
        read_capacity,
        pause_line,
        watch_line,
        propose_reopening,
        reopen_line,
        declare_pay_in,
        confirm_pay_in,
        read_cash,
    ],
    tags=["agreements"],
)
