"""What the database itself shows of dispatches and offers, by raw SQL under the app's role: one's own, no more."""

from datetime import datetime

import pytest
from builders_matching import Bank, a_bank, an_asking_firm, an_offer, choose_unless_chosen
from builders_parties import a_firm
from conftest import Database
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.demands.rules import RepaymentKind
from xinyidai.foundation.database import in_transaction
from xinyidai.matching import service
from xinyidai.matching.rules.states import DeclineReason

TABLES = ("dispatch", "indication", "offer", "offer_standing", "restricted_reason", "matching")


async def _seen(database: Database, viewer: Viewer, *, now: datetime) -> dict[str, int]:
    async with in_transaction(database.app) as session:
        await act_as(session, viewer, now=now)
        return {
            table: (await session.execute(text(f"SELECT count(*) FROM matching.{table}"))).scalar_one()
            for table in TABLES
        }


async def _market(database: Database, *, now: datetime) -> tuple[Viewer, Viewer, list[Bank]]:
    """Return a firm, a stranger, and three banks: one offers, one has a proposal, one declined on suspicion."""
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=now)
        banks = [await a_bank(session, now=now) for _ in range(3)]
        firm, demand = await an_asking_firm(session, *banks, now=now)
        by_lender = {one.lender_id: one for one in (await service.match(session, demand.id, now=now)).dispatches}
        offer = await an_offer(session, banks[0], by_lender[banks[0].id], now=now)
        await choose_unless_chosen(session, banks[1], by_lender[banks[1].id], now=now)
        await service.make_offer(
            session,
            banks[1].desk.maker,
            by_lender[banks[1].id].id,
            amount_fen=50_000_000,
            rate_bp=400,
            term_months=12,
            repayment_kind=RepaymentKind.INTEREST_FIRST,
            valid_until=offer.valid_until,
            now=now,
        )
        suspects = banks[2].desk.maker
        await service.decline(session, suspects, by_lender[banks[2].id].id, reason=DeclineReason.SUSPICION, now=now)
        return firm, await a_firm(session, now=now), banks


async def test_no_bank_sees_another_banks_rows_and_no_firm_an_unapproved_offer(
    database: Database, noon: datetime
) -> None:
    firm, stranger, banks = await _market(database, now=noon)

    seen = [await _seen(database, viewer, now=noon) for viewer in (firm, stranger, *[one.desk.maker for one in banks])]

    rows = [tuple(one[table] for table in TABLES) for one in seen]
    assert rows == [
        (3, 2, 1, 1, 0, 1),
        (0, 0, 0, 0, 0, 0),
        (1, 1, 1, 1, 0, 0),
        (1, 1, 1, 1, 0, 0),
        (1, 0, 0, 0, 1, 0),
    ]


FORBIDDEN = [
    "INSERT INTO matching.dispatch SELECT gen_random_uuid(), demand_id, firm_id, lender_id, product_id, decision_id,"
    " consent_id, eligibility_digest, path, assigned_by, state, sent_at, due_on, is_due_provisional, taken_up_at,"
    " offered_at, refused_at, decline_code, ended_at, replaced_by FROM matching.dispatch",
    "UPDATE matching.dispatch SET state = 'sent'",
    "UPDATE matching.dispatch SET lender_id = gen_random_uuid()",
    "UPDATE matching.dispatch SET authority_id = gen_random_uuid(), chosen_at = sent_at",
    "UPDATE matching.indication SET max_rate_bp = min_rate_bp",
    "INSERT INTO matching.indication SELECT gen_random_uuid(), dispatch_id, demand_id, firm_id, lender_id, product_id,"
    " min_amount_fen, max_amount_fen, min_rate_bp, max_rate_bp, min_term_months, max_term_months, repayment_kinds,"
    " valid_until, made_by, made_at FROM matching.indication",
    "UPDATE matching.offer SET rate_bp = 1",
    "UPDATE matching.offer_standing SET firm_id = lender_id",
    "DELETE FROM matching.offer_standing",
    "INSERT INTO matching.matching VALUES (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), now())",
]


async def test_a_bank_cannot_write_itself_a_demand_or_change_what_was_offered(
    database: Database, noon: datetime
) -> None:
    _firm, _stranger, banks = await _market(database, now=noon)

    async def change(statement: str) -> None:
        async with in_transaction(database.app) as session:
            await act_as(session, banks[0].desk.maker, now=noon)
            await session.execute(text(statement))

    for statement in FORBIDDEN:
        with pytest.raises(DBAPIError, match=r"permission denied|row-level security|append_only"):
            await change(statement)
