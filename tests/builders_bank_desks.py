"""A lender's and a fund's desk with something in every queue, for the tests of their pages."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from builders_agreements import Line, a_line
from builders_claims import LONG_AFTER, a_paid_claim, an_overdue_loan
from builders_demands import a_consent_to, a_demand
from builders_loans import Lent, a_loan
from builders_matching import Bank, a_bank, a_choice, an_asking_firm, an_offer
from builders_parties import Desk
from builders_scoring import a_released_model, a_town
from conftest import Database

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.loans import service as loans
from xinyidai.matching import service as matching
from xinyidai.matching.queries import DispatchView, OfferView
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.scoring import service as scoring


@dataclass(frozen=True)
class BankDesk:
    """A bank with a new application (invoices and a score), a chosen one, an accepted offer and a loan."""

    bank: Bank
    rival: Bank
    firm: Viewer
    new: DispatchView
    chosen: DispatchView
    accepted: OfferView
    paid_out: OfferView
    loan_id: UUID


async def a_bank_desk(database: Database, *, now: datetime) -> BankDesk:
    """Return a bank's desk in every stage but the claims."""
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=now)
        firm = (await a_town(session, firms=1, invoices=60, now=now)).firms[0]
        await a_released_model(session, now=now)
        bank, rival = await a_bank(session, now=now), await a_bank(session, now=now)
        await a_consent_to(session, firm, PLATFORM_ID, bank.id, rival.id, now=now)
        demand = await a_demand(session, firm, now=now)
        sent = (await matching.match(session, demand.id, now=now)).dispatches
        new = next(one for one in sent if one.lender_id == bank.id)
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=now)
        await scoring.score_own(session, firm, now=now)
        dispatches = []
        for _ in range(3):
            other, asked = await an_asking_firm(session, bank, now=now)
            (sent_to_bank,) = (await matching.match(session, asked.id, now=now)).dispatches
            dispatches.append((other, sent_to_bank))
        await a_choice(session, dispatches[0][0], bank, dispatches[0][1], now=now)
        offers = []
        for other, dispatch in dispatches[1:]:
            offer = await an_offer(session, bank, dispatch, now=now)
            await matching.accept(session, other, offer.id, now=now)
            offers.append(offer)
        loan = await loans.disburse(session, bank.desk.maker, offers[1].id, now=now)
    return BankDesk(bank, rival, firm, new, dispatches[0][1], offers[0], offers[1], loan.id)


@dataclass(frozen=True)
class FundDesk:
    """A line with an overdue loan, a paid claim, a running loan; all at `LONG_AFTER` past the noon of the builder."""

    line: Line
    overdue: Lent
    paid_claim_id: UUID
    at: datetime

    @property
    def fund(self) -> Desk:
        """Return the fund's people."""
        return self.line.fund

    @property
    def lender(self) -> Desk:
        """Return the lender's people."""
        return self.line.lender


async def a_fund_desk(database: Database, *, now: datetime) -> FundDesk:
    """Return a line on which one claim was paid and another loan is overdue for long enough."""
    at = now + LONG_AFTER
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=now)
        line = await a_line(session, fund_cash_fen=50_000_000, guarantor_cash_fen=50_000_000, now=now)
        overdue = await an_overdue_loan(session, line, now=now)
        claimed = await an_overdue_loan(session, line, now=now)
        await a_loan(session, line, now=now)
        paid = await a_paid_claim(session, claimed, now=at)
    return FundDesk(line, overdue, paid.id, at)
