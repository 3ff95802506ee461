"""The doors of loans: a lender disburses, reports repayments and reads its book; a firm reads its loans."""

from datetime import datetime
from uuid import UUID

from litestar import Request, Response, Router, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import OrganisationKind, Role, Viewer
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.doors import answer_once
from xinyidai.loans import queries, service
from xinyidai.loans.rules.life import LoanState
from xinyidai.loans.schemas import (
    CreditLinePageOut,
    DisburseIn,
    DuesOut,
    InstalmentOut,
    LoanDetailOut,
    LoanOut,
    LoanPageOut,
    RepaidOut,
    RepayIn,
)
from xinyidai.loans.service.desk import WRITES

BY_LENDER_PROVED = requires(OrganisationKind.LENDER, roles=(Role.OFFICER, Role.APPROVER), scope=WRITES, fresh=True)
PARTIES = (OrganisationKind.LENDER, OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER)
BY_PARTIES = requires(*PARTIES, OrganisationKind.OPERATOR, scope="loans:read")


@post(
    "/loans",
    operation_id="DisburseLoan",
    summary="Report a disbursement",
    description="The lender paid out an accepted offer, in full and once. Needs the header Idempotency-Key.",
    guards=[BY_LENDER_PROVED],
)
async def disburse_loan(
    request: Request[object, object, State],
    data: JSONBody[DisburseIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[LoanOut]:
    """Disburse."""

    async def act() -> LoanOut:
        loan = await service.disburse(
            session,
            viewer,
            data.offer_id,
            disbursed_on=data.disbursed_on,
            payment_kind=data.payment_kind,
            payment_reference=data.payment_reference,
            first_loan=data.first_loan.attested() if data.first_loan else None,
            now=now,
        )
        return LoanOut.of(loan)

    return await answer_once(request, session, viewer.organisation_id, data.model_dump(mode="json"), act)


@post(
    "/loans/{loan_id:uuid}/repayments",
    operation_id="RepayLoan",
    summary="Report a repayment",
    description="What is due is paid first, interest before principal, then the next instalment; the exact pay-off"
    " amount closes the loan. Needs the header Idempotency-Key.",
    guards=[BY_LENDER_PROVED],
)
async def repay_loan(
    request: Request[object, object, State],
    loan_id: FromPath[UUID],
    data: JSONBody[RepayIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[RepaidOut]:
    """Repay."""

    async def act() -> RepaidOut:
        repaid = await service.repay(
            session,
            viewer,
            loan_id,
            amount_fen=data.amount_fen,
            paid_on=data.paid_on,
            reference=data.reference,
            now=now,
        )
        return RepaidOut.of(repaid)

    return await answer_once(request, session, viewer.organisation_id, data.model_dump(mode="json"), act)


@get(
    "/loans",
    operation_id="ListLoans",
    summary="Loans",
    description="A lender's book or a firm's loans, oldest first; `status` keeps to one state.",
    guards=[BY_PARTIES],
)
async def list_loans(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    status: FromQuery[LoanState | None] = None,
    cursor: FromQuery[str | None] = None,
    limit: FromQuery[int] = 50,
) -> LoanPageOut:
    """List."""
    return LoanPageOut.of(await queries.loans(session, viewer, state=status, cursor=cursor, limit=limit))


@get(
    "/loans/{loan_id:uuid}",
    operation_id="ReadLoan",
    summary="One loan",
    description="A loan with its schedule and what it asks today, for its lender and its firm.",
    guards=[BY_PARTIES],
)
async def read_loan(
    loan_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> LoanDetailOut:
    """Read."""
    loan, planned = await service.read(session, viewer, loan_id, now=now)
    return LoanDetailOut(
        loan=LoanOut.of(loan),
        instalments=[InstalmentOut.of(one) for one in planned],
        dues=DuesOut.of(queries.dues_of(loan, planned, on=business_date(now))),
    )


@get(
    "/credit-lines",
    operation_id="ListCreditLines",
    summary="Credit lines",
    description="The credit lines that a lender granted or a firm was granted, oldest first.",
    guards=[requires(*PARTIES, scope="loans:read")],
)
async def list_credit_lines(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    cursor: FromQuery[str | None] = None,
    limit: FromQuery[int] = 50,
) -> CreditLinePageOut:
    """List credit lines."""
    return CreditLinePageOut.of(await queries.credit_lines(session, viewer, cursor=cursor, limit=limit))


router = Router(
    path="/",
    route_handlers=[disburse_loan, repay_loan, list_loans, read_loan, list_credit_lines],
    tags=["loans"],
)
