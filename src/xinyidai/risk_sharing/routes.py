"""The doors of risk sharing: a lender claims and reports recoveries, two people of the fund review, the fund pays."""

from datetime import datetime
from uuid import UUID

from litestar import Request, Response, Router, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import OrganisationKind, Role, Viewer
from xinyidai.foundation.doors import answer_once
from xinyidai.risk_sharing import queries, service
from xinyidai.risk_sharing.rules import ClaimState
from xinyidai.risk_sharing.schemas import (
    ClaimDetailOut,
    ClaimIn,
    ClaimOut,
    ClaimPageOut,
    DenialIn,
    RecoveryIn,
    RecoveryOut,
)
from xinyidai.risk_sharing.service.desk import WRITES

BY_LENDER = requires(OrganisationKind.LENDER, roles=(Role.OFFICER, Role.APPROVER), scope=WRITES)
BY_LENDER_PROVED = requires(OrganisationKind.LENDER, roles=(Role.OFFICER, Role.APPROVER), scope=WRITES, fresh=True)
BY_FUND = requires(OrganisationKind.FUND, roles=(Role.OFFICER, Role.APPROVER))
BY_FUND_PROVED = requires(OrganisationKind.FUND, roles=(Role.OFFICER, Role.APPROVER), fresh=True)
BY_PARTIES = requires(
    OrganisationKind.LENDER,
    OrganisationKind.FUND,
    OrganisationKind.GUARANTOR,
    OrganisationKind.OPERATOR,
    OrganisationKind.REGULATOR,
    scope="claims:read",
)


@post(
    "/claims",
    operation_id="FileClaim",
    summary="Claim a loss",
    description="Claim the unpaid principal of a covered loan that is overdue for as long as the agreement asks."
    " Needs the header Idempotency-Key.",
    guards=[BY_LENDER],
)
async def file_claim(
    request: Request[object, object, State],
    data: JSONBody[ClaimIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[ClaimOut]:
    """File."""

    async def act() -> ClaimOut:
        return ClaimOut.of(await service.file_claim(session, viewer, data.loan_id, now=now))

    return await answer_once(request, session, viewer.organisation_id, data.model_dump(mode="json"), act)


@post(
    "/claims/{claim_id:uuid}/withdraw",
    operation_id="WithdrawClaim",
    summary="Withdraw a claim",
    description="The lender takes back a claim that is not paid; the loan stays covered."
    " Needs the header Idempotency-Key.",
    guards=[BY_LENDER],
    status_code=200,
)
async def withdraw_claim(
    request: Request[object, object, State],
    claim_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[ClaimOut]:
    """Withdraw."""

    async def act() -> ClaimOut:
        return ClaimOut.of(await service.withdraw_claim(session, viewer, claim_id, now=now))

    return await answer_once(request, session, viewer.organisation_id, None, act, status_code=200)


@post(
    "/claims/{claim_id:uuid}/approve",
    operation_id="ApproveClaim",
    summary="Pass a review",
    description="The first review, or the second by another person, an approver. Neither filed the claim.",
    guards=[BY_FUND_PROVED],
    status_code=200,
)
async def approve_claim(
    claim_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> ClaimOut:
    """Approve."""
    return ClaimOut.of(await service.approve_claim(session, viewer, claim_id, now=now))


@post(
    "/claims/{claim_id:uuid}/deny",
    operation_id="DenyClaim",
    summary="Deny a claim",
    description="Deny in either review, with a code; the loan stays covered and may be claimed again."
    " Needs the header Idempotency-Key.",
    guards=[BY_FUND],
    status_code=200,
)
async def deny_claim(
    request: Request[object, object, State],
    claim_id: FromPath[UUID],
    data: JSONBody[DenialIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[ClaimOut]:
    """Deny."""

    async def act() -> ClaimOut:
        return ClaimOut.of(await service.deny_claim(session, viewer, claim_id, code=data.code, now=now))

    return await answer_once(
        request, session, viewer.organisation_id, data.model_dump(mode="json"), act, status_code=200
    )


@post(
    "/claims/{claim_id:uuid}/pay",
    operation_id="PayClaim",
    summary="Pay a claim",
    description="Pay an approved claim: each its frozen share, at most what it has and holds; the rest stays with the"
    " lender. Needs the header Idempotency-Key.",
    guards=[BY_FUND_PROVED],
)
async def pay_claim(
    request: Request[object, object, State],
    claim_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[ClaimOut]:
    """Pay."""

    async def act() -> ClaimOut:
        return ClaimOut.of(await service.pay_claim(session, viewer, claim_id, now=now))

    return await answer_once(request, session, viewer.organisation_id, None, act)


@post(
    "/claims/{claim_id:uuid}/recoveries",
    operation_id="RecordRecovery",
    summary="Report a recovery",
    description="Money collected after a claim: costs first, then principal to who bore it, then the lender's interest."
    " Needs the header Idempotency-Key.",
    guards=[BY_LENDER_PROVED],
)
async def record_recovery(
    request: Request[object, object, State],
    claim_id: FromPath[UUID],
    data: JSONBody[RecoveryIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[RecoveryOut]:
    """Record a recovery."""

    async def act() -> RecoveryOut:
        recovery = await service.record_recovery(
            session,
            viewer,
            claim_id,
            received_fen=data.received_fen,
            costs_fen=data.costs_fen,
            received_on=data.received_on,
            reference=data.reference,
            now=now,
        )
        return RecoveryOut.of(recovery)

    return await answer_once(request, session, viewer.organisation_id, data.model_dump(mode="json"), act)


@get(
    "/claims",
    operation_id="ListClaims",
    summary="Claims",
    description="The claims that the viewer files, reviews or shares, oldest first; `status` keeps to one state.",
    guards=[BY_PARTIES],
)
async def list_claims(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    status: FromQuery[ClaimState | None] = None,
    cursor: FromQuery[str | None] = None,
    limit: FromQuery[int] = 50,
) -> ClaimPageOut:
    """List."""
    return ClaimPageOut.of(await queries.claims(session, viewer, state=status, cursor=cursor, limit=limit))


@get(
    "/claims/{claim_id:uuid}",
    operation_id="ReadClaim",
    summary="One claim",
    description="A claim with its recoveries. The look leaves an audit row.",
    guards=[BY_PARTIES],
)
async def read_claim(
    claim_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> ClaimDetailOut:
    """Read."""
    claim, recoveries = await service.read(session, viewer, claim_id, now=now)
    return ClaimDetailOut(claim=ClaimOut.of(claim), recoveries=[RecoveryOut.of(one) for one in recoveries])


router = Router(
    path="/",
    route_handlers=[
        file_claim,
        withdraw_claim,
        approve_claim,
        deny_claim,
        pay_claim,
        record_recovery,
        list_claims,
        read_claim,
    ],
    tags=["risk sharing"],
)
