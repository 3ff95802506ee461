"""One borrower is made to default, while the others pay: claimed, approved by two, paid by shares, partly recovered."""

from dataclasses import dataclass
from datetime import timedelta

from xinyidai.cli.story.acting import Stage
from xinyidai.cli.story.cast import CLAIM_AFTER_DAYS, Cast
from xinyidai.cli.story.lending import Lent
from xinyidai.foundation.clock import business_date, start_of_day
from xinyidai.foundation.money import Fen, fraction_half_up
from xinyidai.loans import queries as loan_queries
from xinyidai.loans import service as loans
from xinyidai.loans.queries import LoanView
from xinyidai.risk_sharing import service as risk_sharing

RECOVERED_SHARE = (1, 4)
COSTS_FEN = 100_000
DAYS_TO_REVIEW = 5
DAYS_TO_RECOVER = 60


@dataclass(frozen=True)
class Failed:
    """Who was made to default, and what that cost whom."""

    label: str
    claimed_fen: int
    paid_fen: int
    received_fen: int
    returned_fen: int


async def default_one(stage: Stage, cast: Cast, lent: Lent) -> Failed:
    """Let the first borrower (by label) pay nothing and the others what is due; follow the claim to its recovery."""
    label = min(lent.loans)
    loan = lent.loans[label]
    paying = [other for name, other in lent.loans.items() if name != label]
    async with stage.platform() as session:
        first_due = min(one.due_on for one in await loan_queries.instalments(session, loan.id))
    await _let_pass(stage, cast, paying, days=(first_due - business_date(stage.now)).days + CLAIM_AFTER_DAYS + 1)
    async with stage.platform() as session:
        await loans.count_days_past_due(session, now=stage.now)
    async with stage.acting(cast.main_lender.maker) as session:
        claim = await risk_sharing.file_claim(session, cast.main_lender.maker, loan.id, now=stage.now)
    await _let_pass(stage, cast, paying, days=DAYS_TO_REVIEW)
    for reviewer in (cast.fund.maker, cast.fund.checker):
        async with stage.acting(reviewer) as session:
            await risk_sharing.approve_claim(session, reviewer, claim.id, now=stage.now)
    async with stage.acting(cast.fund.maker) as session:
        paid = await risk_sharing.pay_claim(session, cast.fund.maker, claim.id, now=stage.now)
    await _let_pass(stage, cast, paying, days=DAYS_TO_RECOVER)
    received = fraction_half_up(Fen(paid.claimed_fen), *RECOVERED_SHARE)
    async with stage.acting(cast.main_lender.maker) as session:
        recovery = await risk_sharing.record_recovery(
            session,
            cast.main_lender.maker,
            claim.id,
            received_fen=received,
            costs_fen=min(COSTS_FEN, received),
            now=stage.now,
        )
    await stage.settle()
    stage.tell(f"{label} was made to default; claimed, paid by fund and guarantor, partly recovered")
    return Failed(label, paid.claimed_fen, paid.paid_fen, received, recovery.principal.covered_fen)


async def _let_pass(stage: Stage, cast: Cast, paying: list[LoanView], *, days: int) -> None:
    """Let business time pass, to nine o'clock of that day; who pays, pays each instalment on the day it is due."""
    began_on = business_date(stage.now)
    stage.now = start_of_day(began_on + timedelta(days=days)) + timedelta(hours=9)
    for loan in paying:
        async with stage.acting(cast.main_lender.maker) as session:
            for one in await loan_queries.instalments(session, loan.id):
                if began_on < one.due_on <= business_date(stage.now):
                    await loans.repay(
                        session,
                        cast.main_lender.maker,
                        loan.id,
                        amount_fen=one.owed.principal_fen + one.owed.interest_fen,
                        paid_on=one.due_on,
                        now=stage.now,
                    )
