"""The regulator's figures: broken down, scoped, and equal to the ledger."""

from dataclasses import fields
from datetime import date, datetime, timedelta

import asyncpg
import pytest
from builders_agreements import a_line
from builders_claims import LONG_AFTER, a_paid_claim, an_overdue_loan
from builders_loans import a_loan, an_accepted_offer
from builders_matching import Bank, a_bank, a_choice, a_dispatch, a_range, an_indication, an_offer
from builders_parties import a_firm, a_lender, a_regulator
from conftest import Database
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.service import act_as, act_as_platform
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import NotAllowed
from xinyidai.loans import service as loans
from xinyidai.loans.rules.life import FirstLoan, FirstLoanDefinition
from xinyidai.matching import service as matching
from xinyidai.matching.rules.states import DeclineReason
from xinyidai.reporting import queries
from xinyidai.reporting.rules import (
    DRIFT_METRICS,
    METRICS,
    Dimension,
    DriftRow,
    LendingRow,
    Reconciliation,
    SpanRefused,
)
from xinyidai.risk_sharing import service as risk_sharing
from xinyidai.worker import load_rooms

YEAR = {"from_on": date(2025, 1, 1), "to_on": date(2026, 1, 1)}


async def cover_all(session: AsyncSession, now: datetime, *loan_ids: object) -> None:
    for loan_id in loan_ids:
        await risk_sharing.make_cover(session, loan_id, now=now)  # type: ignore[arg-type]


async def test_lending_is_broken_down_by_month_lender_district_and_industry(
    session: AsyncSession, noon: datetime
) -> None:
    line = await a_line(session, now=noon)
    other = await a_line(session, now=noon)
    beibei = await a_firm(session, region_code="500109", industry_code="C35", now=noon)
    await a_loan(session, line, amount_fen=100, now=noon)
    await a_loan(session, line, amount_fen=20, firm=beibei, now=noon + timedelta(days=20))
    await a_loan(session, other, amount_fen=3, firm=beibei, now=noon)
    regulator = (await a_regulator(session, now=noon)).maker

    found = {
        by: {row.key: row.disbursed_fen for row in await queries.lending(session, regulator, by=by, **YEAR)}
        for by in Dimension
    }
    names = {row.key: row.name for row in await queries.lending(session, regulator, by=Dimension.REGION, **YEAR)}

    assert found[Dimension.MONTH] == {"2025-06": 103, "2025-07": 20}
    assert found[Dimension.LENDER] == {str(line.lender.id): 120, str(other.lender.id): 3}
    assert found[Dimension.REGION] == {"500103": 100, "500109": 23}
    assert found[Dimension.INDUSTRY] == {"F": 100, "C": 23}
    assert names == {"500103": "渝中区", "500109": "北碚区"}


async def test_the_end_of_the_span_is_excluded_and_an_empty_one_refused(session: AsyncSession, noon: datetime) -> None:
    await a_loan(session, amount_fen=100, now=noon)
    regulator = (await a_regulator(session, now=noon)).maker
    today = business_date(noon)

    before = await queries.totals(session, regulator, from_on=date(2025, 1, 1), to_on=today)
    on_the_day = await queries.totals(session, regulator, from_on=today, to_on=today + timedelta(days=1))

    assert (before.disbursed_fen, on_the_day.disbursed_fen) == (0, 100)
    with pytest.raises(SpanRefused):
        await queries.totals(session, regulator, from_on=today, to_on=today)


async def test_first_loans_are_counted_among_the_attested_only(session: AsyncSession, noon: datetime) -> None:
    line = await a_line(session, now=noon)
    regulator = (await a_regulator(session, now=noon)).maker
    for is_first in (True, False, True):
        accepted = await an_accepted_offer(session, line, amount_fen=100, now=noon)
        await loans.disburse(
            session,
            line.lender.maker,
            accepted.offer_id,
            first_loan=FirstLoan(is_first=is_first, definition=FirstLoanDefinition.NO_RECORD_IN_REGISTRY),
            now=noon,
        )
    await a_loan(session, line, amount_fen=100, now=noon)

    total = await queries.totals(session, regulator, **YEAR)

    assert (total.loans, total.first_loans, total.attested_loans) == (4, 2, 3)
    assert total.first_loan_share_ppm == 666_666


async def test_overdue_claims_and_recoveries_are_in_the_figures(session: AsyncSession, noon: datetime) -> None:
    later = noon + LONG_AFTER
    lent = await an_overdue_loan(session, now=noon)
    claim = await a_paid_claim(session, lent, now=later)
    await risk_sharing.record_recovery(session, lent.line.lender.maker, claim.id, received_fen=1_000, now=later)
    regulator = (await a_regulator(session, now=noon)).maker

    total = await queries.totals(session, regulator, **YEAR)

    assert (total.claims_paid_fen, total.returned_fen, total.covered_fen) == (9_600_000, 800, 12_000_000)
    assert total.overdue_fen == total.non_performing_fen == total.outstanding_fen == 12_000_000 - 1_000


async def test_a_lender_sees_its_own_lending_a_fund_what_it_covers_and_a_firm_nothing(
    database: Database, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        lent = await a_loan(session, amount_fen=100, now=noon)
        await a_loan(session, amount_fen=3, now=noon)
        stranger = await a_lender(session, now=noon)

    sums = []
    for viewer in (lent.line.lender.maker, lent.line.fund.maker, stranger.maker):
        async with in_transaction(database.app) as session:
            await act_as(session, viewer, now=noon)
            sums.append((await queries.totals(session, viewer, **YEAR)).disbursed_fen)
    async with in_transaction(database.app) as session:
        await act_as(session, lent.firm, now=noon)
        with pytest.raises(NotAllowed):
            await queries.totals(session, lent.firm, **YEAR)
        with pytest.raises(NotAllowed):
            await queries.reconcile(session, lent.line.lender.maker)

    assert sums == [100, 100, 0]


async def test_loans_ledger_covers_and_statistics_agree(session: AsyncSession, noon: datetime) -> None:
    later = noon + LONG_AFTER
    lent = await an_overdue_loan(session, now=noon)
    claim = await a_paid_claim(session, lent, now=later)
    await risk_sharing.record_recovery(session, lent.line.lender.maker, claim.id, received_fen=1_000, now=later)
    repaid = await a_loan(session, amount_fen=500, now=noon)
    await loans.repay(
        session, repaid.line.lender.maker, repaid.id, amount_fen=43, paid_on=business_date(noon), now=noon
    )
    await cover_all(session, noon, lent.id, repaid.id)

    found = await queries.reconcile(session)

    assert found.differences == ()
    assert found.loans_fen == found.ledger_fen == found.reported_fen == found.covers_fen == 12_000_500
    assert (found.claims_paid_fen, found.returned_fen, found.is_whole) == (9_600_000, 800, True)


async def test_what_was_tampered_with_is_named(database: Database, admin: asyncpg.Connection, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        lent = await a_loan(session, amount_fen=500, now=noon)
        bare = await a_loan(session, amount_fen=70, now=noon)
        await cover_all(session, noon, lent.id)
    await admin.execute("UPDATE foundation.outbox_delivery SET state = 'done'")
    await admin.execute("UPDATE loans.loan SET principal_fen = 600 WHERE id = $1", lent.id)

    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        found = await queries.reconcile(session)

    named = {(one.what, one.ref, one.room_fen, one.ledger_fen) for one in found.differences}
    assert found.is_whole is False
    assert named == {
        ("disbursement", str(lent.id), 600, 500),
        ("cover", str(lent.id), 600, 500),
        ("cover", str(bare.id), 70, 0),
    }


async def test_a_cover_on_its_way_is_no_difference_and_one_that_does_not_come_is(
    database: Database, admin: asyncpg.Connection, noon: datetime
) -> None:
    load_rooms()
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        lent = await a_loan(session, amount_fen=500, now=noon)
    found = [await _reconciled(database, noon)]
    for change in (
        "UPDATE foundation.outbox_event SET recorded_at = recorded_at - interval '11 minutes'",
        "UPDATE foundation.outbox_event SET recorded_at = recorded_at + interval '11 minutes'",
        "UPDATE foundation.outbox_delivery SET state = 'parked' WHERE consumer = 'risk_sharing.make_cover'",
    ):
        await admin.execute(change)
        found.append(await _reconciled(database, noon))
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        await cover_all(session, noon, lent.id)
    found.append(await _reconciled(database, noon))

    assert [(one.is_whole, one.underway_fen, one.covers_fen) for one in found] == [
        (True, 500, 0),
        (False, 0, 0),
        (True, 500, 0),
        (False, 0, 0),
        (True, 0, 500),
    ]
    assert [one.what for one in found[1].differences] == ["cover"]


async def _reconciled(database: Database, now: datetime) -> Reconciliation:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=now)
        return await queries.reconcile(session)


def test_every_figure_has_one_definition() -> None:
    figures = {field.name for field in fields(LendingRow)} - {"key", "name"}

    assert sorted(metric.code for metric in METRICS) == sorted(figures)


def test_every_figure_of_the_drift_has_one_definition() -> None:
    figures = {field.name for field in fields(DriftRow)} - {"lender_id", "lender_name"}
    shares = {name for name in vars(DriftRow) if name.endswith("_share_ppm")}

    assert sorted(metric.code for metric in DRIFT_METRICS) == sorted(figures | shares)


async def a_drifting_bank(session: AsyncSession, *, rates_bp: list[int], now: datetime) -> Bank:
    """Return a bank that indicated at most 420 bp each time, offered these, and declined, ignored and lost one each."""
    bank = await a_bank(session, now=now)
    for rate_bp in rates_bp:
        firm, dispatch = await a_dispatch(session, bank, now=now)
        await a_choice(session, firm, bank, dispatch, now=now)
        await an_offer(session, bank, dispatch, rate_bp=rate_bp, now=now)
    for _ in range(2):
        firm, dispatch = await a_dispatch(session, bank, now=now)
        await a_choice(session, firm, bank, dispatch, now=now)
    await matching.decline(session, bank.desk.maker, dispatch.id, reason=DeclineReason.LIST_HIT, now=now)
    await matching.time_out_due(session, now=now + timedelta(days=20))
    _firm, dispatch = await a_dispatch(session, bank, now=now)
    await an_indication(session, bank, dispatch, terms=a_range(now=now), now=now)
    return bank


async def test_drift_is_counted_for_each_lender_of_the_span(session: AsyncSession, noon: datetime) -> None:
    bank = await a_drifting_bank(session, rates_bp=[400, 420, 430, 450, 480], now=noon)
    await a_drifting_bank(session, rates_bp=[], now=noon - timedelta(days=400))
    regulator = (await a_regulator(session, now=noon)).maker

    (row,) = await queries.offer_drift(session, regulator, **YEAR)

    assert row.lender_id == str(bank.id)
    assert (row.indications, row.chosen, row.binding_offers, row.inside) == (8, 7, 5, 2)
    assert (row.inside_share_ppm, row.declined_after_choice_share_ppm) == (400_000, 142_857)
    assert (row.median_rate_above_bp, row.median_amount_below_ppm) == (10, 0)
    assert (row.declined_after_choice, row.silent_after_choice) == (1, 1)


async def test_a_lender_without_a_binding_offer_has_no_median(session: AsyncSession, noon: datetime) -> None:
    bank = await a_drifting_bank(session, rates_bp=[], now=noon)

    (row,) = await queries.offer_drift(session, bank.desk.maker, **YEAR)

    assert (row.binding_offers, row.inside_share_ppm) == (0, None)
    assert (row.median_rate_above_bp, row.median_amount_below_ppm) == (None, None)


async def test_a_lender_sees_its_own_drift_alone(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        banks = [await a_drifting_bank(session, rates_bp=[400], now=noon) for _ in range(2)]
        regulator = (await a_regulator(session, now=noon)).maker
        firm = await a_firm(session, now=noon)

    seen = {}
    for viewer in (banks[0].desk.maker, regulator):
        async with in_transaction(database.app) as session:
            await act_as(session, viewer, now=noon)
            seen[viewer] = {row.lender_id for row in await queries.offer_drift(session, viewer, **YEAR)}

    assert seen == {banks[0].desk.maker: {str(banks[0].id)}, regulator: {str(bank.id) for bank in banks}}
    async with in_transaction(database.app) as session:
        await act_as(session, firm, now=noon)
        with pytest.raises(NotAllowed):
            await queries.offer_drift(session, firm, **YEAR)
