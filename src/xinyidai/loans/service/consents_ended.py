"""A post-loan consent that a firm takes back while a loan runs: its lender and its fund are told."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.agreements import queries as agreements
from xinyidai.audit import service as audit
from xinyidai.consents import queries as consents
from xinyidai.consents.rules import Purpose
from xinyidai.loans.models import EndedConsent, Loan
from xinyidai.loans.rules.life import LoanState
from xinyidai.parties.rules import PLATFORM_ID

WHOLE = ""
"""In place of an item, where the consent as a whole was taken back."""


async def note_ended_consent(
    session: AsyncSession, consent_id: UUID, *, item_code: str = WHOLE, now: datetime, ended_at: datetime
) -> int:
    """Tell lender and fund of each running loan that the firm's consent no longer covers its loan's monitoring.

    Of a consent that names one lender only that lender's loans are told; one that names the platform is told to all.
    Again writes nothing. Returns how many loans; needs platform scope.
    """
    consent = await consents.consent_by_id(session, consent_id, now=now)
    if consent is None or consent.purpose is not Purpose.POST_LOAN:
        return 0
    statement = select(Loan).where(col(Loan.firm_id) == consent.subject_id, col(Loan.state) != LoanState.CLOSED.value)
    loans = [
        loan
        for loan in (await session.execute(statement)).scalars()
        if PLATFORM_ID in consent.receiver_ids or loan.lender_id in consent.receiver_ids
    ]
    told = 0
    for loan in loans:
        fund_id = None
        if loan.reservation_id is not None:
            fund_id = (await agreements.reservation(session, loan.reservation_id)).fund_id
        row = insert(EndedConsent).values(
            loan_id=loan.id,
            consent_id=consent_id,
            item_code=item_code,
            firm_id=loan.firm_id,
            lender_id=loan.lender_id,
            fund_id=fund_id,
            ended_at=ended_at,
        )
        written = await session.execute(row.on_conflict_do_nothing().returning(col(EndedConsent.loan_id)))
        if written.scalar_one_or_none() is None:
            continue
        told += 1
        await audit.write_down(
            session,
            None,
            action="loans.consent_ended",
            subject_ids=[loan.firm_id],
            object_kind="loan",
            object_id=str(loan.id),
            now=now,
            purpose=Purpose.POST_LOAN.value,
            consent_ids=[consent_id],
        )
    return told
