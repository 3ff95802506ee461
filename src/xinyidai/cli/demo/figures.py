"""What a lock-step demo tells at its end: counts and amounts from the rooms' tables, books beside reports, a digest."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.agreements import queries as agreement_queries
from xinyidai.cli.checking import Verified, seal_everything, verify_everything
from xinyidai.cli.story.acting import Stage
from xinyidai.cli.story.cast import Desk
from xinyidai.decisions.replay import replay_all
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.database import in_transaction
from xinyidai.ledger import queries as ledger
from xinyidai.reporting import queries as reporting
from xinyidai.reporting.rules import Dimension
from xinyidai.sources.queries.holdings import digest_of_holdings

MAX_SEAL_ROUNDS: Final = 20
SPAN: Final = timedelta(days=364)

_COUNTS: Final = """
SELECT (SELECT count(*) FROM parties.party WHERE kind IN ('firm', 'sole_trader')) AS firms,
       (SELECT count(*) FROM parties.party WHERE kind = 'sole_trader') AS sole_traders,
       (SELECT count(*) FROM parties.party WHERE kind = 'lender') AS lenders,
       (SELECT coalesce(sum(loaded), 0) FROM sources.delivery) AS records,
       (SELECT count(DISTINCT firm_id) FROM scoring.score) AS scored,
       (SELECT count(*) FROM demands.demand WHERE submitted_at IS NOT NULL) AS demands,
       (SELECT count(*) FROM matching.dispatch WHERE sent_at IS NOT NULL) AS dispatches,
       (SELECT count(*) FROM matching.offer_standing WHERE approved_at IS NOT NULL) AS offers,
       (SELECT count(*) FROM matching.offer_standing WHERE accepted_at IS NOT NULL) AS accepted,
       (SELECT count(*) FROM loans.loan WHERE defaulted_on IS NOT NULL) AS defaults,
       (SELECT coalesce(sum(fund_paid_fen + guarantor_paid_fen), 0) FROM risk_sharing.claim) AS claims_paid_fen,
       (SELECT coalesce(sum(fund_returned_fen + guarantor_returned_fen), 0) FROM risk_sharing.claim) AS recovered_fen
"""
_COUNTED_FIRST: Final = (
    "firms",
    "sole_traders",
    "lenders",
    "records",
    "scored",
    "demands",
    "dispatches",
    "offers",
    "accepted",
)
_LINES: Final = (
    "SELECT 'demand', f.credit_code, d.amount_fen, d.term_months, d.use_code, d.repayment_kind, d.wanted_by,"
    " (d.submitted_at AT TIME ZONE 'Asia/Shanghai')::date, d.state, (d.closed_at AT TIME ZONE 'Asia/Shanghai')::date"
    " FROM demands.demand d JOIN parties.party f ON f.id = d.firm_id",
    "SELECT 'score', f.credit_code, s.purpose, s.pd_ppm, s.score_points, s.band,"
    " (s.scored_at AT TIME ZONE 'Asia/Shanghai')::date FROM scoring.score s JOIN parties.party f ON f.id = s.firm_id",
    "SELECT 'matching', f.credit_code, d.amount_fen, (m.matched_at AT TIME ZONE 'Asia/Shanghai')::date, told.said"
    " FROM matching.matching m JOIN decisions.decision k ON k.id = m.decision_id"
    " JOIN demands.demand d ON d.id = m.demand_id JOIN parties.party f ON f.id = m.firm_id,"
    " LATERAL (SELECT string_agg((one - 'product_id' - 'lender_id')::text, ' ' ORDER BY one ->> 'product_code') AS said"
    " FROM jsonb_path_query(k.outcome::jsonb, '$.*[*]') AS one) AS told",
    "SELECT 'dispatch', f.credit_code, l.credit_code, p.code, x.path, x.state,"
    " (x.sent_at AT TIME ZONE 'Asia/Shanghai')::date, x.due_on,"
    " x.decline_code FROM matching.dispatch x JOIN parties.party f ON f.id = x.firm_id"
    " JOIN parties.party l ON l.id = x.lender_id JOIN products.product p ON p.id = x.product_id",
    "SELECT 'offer', f.credit_code, l.credit_code, p.code, o.amount_fen, o.rate_bp, o.term_months, o.repayment_kind,"
    " s.state, s.end_code, (o.made_at AT TIME ZONE 'Asia/Shanghai')::date,"
    " (s.accepted_at AT TIME ZONE 'Asia/Shanghai')::date"
    " FROM matching.offer o JOIN matching.offer_standing s ON s.offer_id = o.id"
    " JOIN parties.party f ON f.id = o.firm_id JOIN parties.party l ON l.id = o.lender_id"
    " JOIN products.product p ON p.id = o.product_id",
    "SELECT 'loan', f.credit_code, l.credit_code, n.principal_fen, n.rate_bp, n.term_months, n.repayment_kind,"
    " n.disbursed_on, n.matures_on, n.state, n.principal_repaid_fen, n.principal_recovered_fen, n.days_past_due,"
    " n.risk_class, n.defaulted_on, n.closed_on FROM loans.loan n JOIN parties.party f ON f.id = n.firm_id"
    " JOIN parties.party l ON l.id = n.lender_id",
    "SELECT 'repayment', f.credit_code, l.credit_code, n.disbursed_on, r.reference, r.amount_fen, r.principal_fen,"
    " r.interest_fen, r.paid_on FROM loans.repayment r JOIN loans.loan n ON n.id = r.loan_id"
    " JOIN parties.party f ON f.id = n.firm_id JOIN parties.party l ON l.id = n.lender_id",
    "SELECT 'claim', f.credit_code, l.credit_code, c.state, c.days_past_due, c.claimed_fen, c.fund_paid_fen,"
    " c.guarantor_paid_fen, c.lender_borne_fen, c.fund_returned_fen, c.guarantor_returned_fen,"
    " c.lender_returned_fen, (c.filed_at AT TIME ZONE 'Asia/Shanghai')::date,"
    " (c.paid_at AT TIME ZONE 'Asia/Shanghai')::date"
    " FROM risk_sharing.claim c JOIN parties.party f ON f.id = c.firm_id JOIN parties.party l ON l.id = c.lender_id",
    "SELECT 'pull', f.credit_code, u.state, u.months_from, u.months_to, u.pages, u.received, u.loaded,"
    " (u.asked_at AT TIME ZONE 'Asia/Shanghai')::date FROM sources.pull u JOIN parties.party f ON f.id = u.firm_id",
)


@dataclass(frozen=True)
class Ending:
    """The figures of a run, and whether anything was altered."""

    figures: Mapping[str, object]
    verified: Verified


async def end(stage: Stage, *, fund: Desk, regulator: Desk, seed: int, began_at: datetime) -> Ending:
    """Seal until nothing is unsealed, verify, replay, and read the same amounts from books and from reports."""
    connected = stage.connected
    for _round in range(MAX_SEAL_ROUNDS):
        if not await seal_everything(connected.worker, now=stage.now):
            break
    verified = await verify_everything(connected.auditor)
    stage.tell("sealed and verified")
    replayed = await replay_all(connected.worker, now=stage.now)
    stage.tell(f"replayed: same {replayed.same}, different {replayed.different}, purged {replayed.purged}")
    async with stage.platform() as session:
        counts = dict((await session.execute(text(_COUNTS))).mappings().one())
        disbursed = (await ledger.turnover(session, prefix="lending:lender:", kind="disbursement")).raised_fen
        fund_balance = await agreement_queries.cash_fen(session, fund.party_id)
        imbalance = await ledger.imbalance_fen(session)
        digest = await digest_of_everything(session)
    async with in_transaction(connected.auditor) as session:
        held = await digest_of_holdings(session)
    seen = await _seen_by_regulator(stage, regulator, began_at)
    figures: dict[str, object] = {"seed": seed}
    figures |= {name: int(counts[name]) for name in _COUNTED_FIRST}
    figures |= {
        "disbursed_fen": disbursed,
        "defaults": int(counts["defaults"]),
        "claims_paid_fen": int(counts["claims_paid_fen"]),
        "recovered_fen": int(counts["recovered_fen"]),
        "fund_balance_fen": fund_balance,
        "ledger_imbalance_fen": imbalance,
        "regulator_disbursed_fen": seen,
        "replay": {"same": replayed.same, "different": replayed.different, "purged": replayed.purged},
        "sealed": sum(state.sealed for state in verified.states),
        "unsealed": sum(state.unsealed for state in verified.states),
        "digest": digest,
        "held_digest": held,
        "seconds": stage.seconds(),
    }
    return Ending(figures, verified)


async def digest_of_everything(session: AsyncSession) -> str:
    """Return the SHA-256 over sorted lines of everything that happened, under natural keys: no id, no wall time."""
    lines: list[str] = []
    for statement in _LINES:
        rows = (await session.execute(text(statement))).all()
        lines += ["|".join("" if value is None else str(value) for value in row) for row in rows]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()


def as_table(figures: Mapping[str, object]) -> str:
    """Return the figures for a person; amounts in yuan."""
    rows = [(name.removesuffix("_fen").replace("_", " "), _shown(name, value)) for name, value in figures.items()]
    return "\n".join(f"  {name:24} {value}" for name, value in rows)


async def _seen_by_regulator(stage: Stage, regulator: Desk, began_at: datetime) -> int:
    """Return what was disbursed by the regulator's own report, in spans as long as one may ask for."""
    seen = 0
    start, ends = business_date(began_at), business_date(stage.now) + timedelta(days=1)
    while start < ends:
        to_on = min(start + SPAN, ends)
        async with stage.acting(regulator.maker) as session:
            rows = await reporting.lending(session, regulator.maker, by=Dimension.MONTH, from_on=start, to_on=to_on)
        seen += sum(row.disbursed_fen for row in rows)
        start = to_on
    return seen


def _shown(name: str, value: object) -> str:
    if name.endswith("_fen"):
        return f"¥{int(str(value)) / 100:,.2f}"
    if isinstance(value, dict):
        return " / ".join(f"{key} {count}" for key, count in value.items())
    return f"{value:,}" if isinstance(value, int) and name != "seed" else str(value)
