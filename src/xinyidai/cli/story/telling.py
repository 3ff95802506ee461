"""How the story ends: figures from the rooms, the books beside the reports, and everything replayed and verified."""

import resource
import time
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.agreements import queries as agreement_queries
from xinyidai.cli.checking import Verified, seal_everything, verify_everything
from xinyidai.cli.story.acting import Stage
from xinyidai.cli.story.cast import Cast
from xinyidai.decisions.replay import replay_all
from xinyidai.decisions.rules import ReplayReport
from xinyidai.foundation.clock import business_date
from xinyidai.ledger import queries as ledger
from xinyidai.loans import queries as loan_queries
from xinyidai.reporting import queries as reporting
from xinyidai.reporting.rules import Dimension

KIB_PER_MIB = 1024
SPAN = timedelta(days=365)


@dataclass(frozen=True)
class Ending:
    """What the platform says of itself at the end."""

    disbursed_fen: int
    regulator_disbursed_fen: int
    fund_balance_fen: int
    ledger_imbalance_fen: int
    defaults: int
    differences: tuple[str, ...]
    replay: ReplayReport
    verified: Verified
    sealed: int
    seconds: float
    peak_rss_mb: int


async def end(stage: Stage, cast: Cast) -> Ending:
    """Seal, verify, replay, and read the same figures from books, loans and the regulator's view."""
    connected = stage.connected
    await seal_everything(connected.worker, now=stage.now)
    verified = await verify_everything(connected.auditor)
    stage.tell("sealed and verified")
    replayed = await replay_all(connected.worker, now=stage.now)
    stage.tell(f"replayed: same {replayed.same}, different {replayed.different}, purged {replayed.purged}")
    async with stage.platform() as session:
        disbursed = await _disbursed_by_ledger(session)
        fund_balance = await agreement_queries.cash_fen(session, cast.fund.party_id)
        imbalance = await ledger.imbalance_fen(session)
        reconciled = await reporting.reconcile(session)
        defaults = await loan_queries.count_defaulted(session)
    async with stage.acting(cast.regulator.maker) as session:
        day = business_date(stage.now)
        seen = await reporting.lending(
            session,
            cast.regulator.maker,
            by=Dimension.MONTH,
            from_on=day - SPAN,
            to_on=day + timedelta(days=1),
        )
    return Ending(
        disbursed_fen=disbursed,
        regulator_disbursed_fen=sum(row.disbursed_fen for row in seen),
        fund_balance_fen=fund_balance,
        ledger_imbalance_fen=imbalance,
        defaults=defaults,
        differences=tuple(str(one) for one in reconciled.differences),
        replay=replayed,
        verified=verified,
        sealed=sum(state.sealed for state in verified.states),
        seconds=round(time.monotonic() - stage.began, 1),
        peak_rss_mb=peak_rss_mb(),
    )


def peak_rss_mb() -> int:
    """Return the most memory this process has held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // KIB_PER_MIB


async def _disbursed_by_ledger(session: AsyncSession) -> int:
    return (await ledger.turnover(session, prefix="lending:lender:", kind="disbursement")).raised_fen
