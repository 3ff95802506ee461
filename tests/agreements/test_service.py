"""Lines, money and capacity on a real ledger."""

import asyncio
from datetime import datetime, timedelta

import pytest
from builders_agreements import Line, a_line, a_reservation, some_cash
from builders_parties import a_firm, a_fund, a_lender
from conftest import Database
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import SamePersonTwice, Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.agreements import queries, service
from xinyidai.agreements.rules import (
    CapacityExhausted,
    FirmCapReached,
    LineState,
    LineStepRefused,
    NoAgreement,
    OfferReservedOtherwise,
    PayInReferenceReused,
    PayInStepRefused,
    RateAboveAgreement,
    ReleaseTooLarge,
    ReservationState,
    ReservationStepRefused,
    SharesBelowPolicy,
)
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.database import Sessions, in_transaction
from xinyidai.foundation.errors import NotAllowed, NotFound, Refusal
from xinyidai.foundation.ids import new_id
from xinyidai.ledger import queries as ledger


async def test_an_opened_line_has_all_its_capacity(session: AsyncSession, noon: datetime) -> None:
    line = await a_line(session, capacity_fen=70_000, now=noon)

    assert await queries.available_fen(session, line.id) == 70_000
    assert (await queries.agreement(session, line.id)).state is LineState.OPEN
    assert await ledger.imbalance_fen(session) == 0


async def test_a_line_is_opened_by_two_people(session: AsyncSession, noon: datetime) -> None:
    fund = await a_fund(session, now=noon)

    with pytest.raises(SamePersonTwice):
        await a_line(session, fund=type(fund)(fund.id, fund.checker, fund.checker), now=noon)


async def test_only_the_fund_or_the_operator_opens_a_line(session: AsyncSession, noon: datetime) -> None:
    fund, lender = await a_fund(session, now=noon), await a_lender(session, now=noon)

    with pytest.raises(NotAllowed):
        await a_line(session, fund=type(fund)(fund.id, lender.maker, lender.checker), lender=lender, now=noon)


async def test_a_line_below_the_policy_minimum_is_refused(session: AsyncSession, noon: datetime) -> None:
    with pytest.raises(SharesBelowPolicy):
        await a_line(session, lender_ppm=199_999, now=noon)


async def test_without_a_stop_loss_of_its_own_a_line_takes_the_policys(session: AsyncSession, noon: datetime) -> None:
    line = await a_line(session, stop_loss_ppm=None, now=noon)

    policy = await queries.policy_on(session, business_date(noon))
    assert policy is not None
    assert (await queries.agreement(session, line.id)).stop_loss_ppm == policy.stop_loss_ppm
    assert policy.is_verified is False


async def test_money_is_paid_in_once_per_reference_and_confirmed_by_a_second_person(
    session: AsyncSession, noon: datetime
) -> None:
    fund = await a_fund(session, now=noon)
    today = business_date(noon)

    declared = await service.declare_pay_in(
        session, fund.maker, payer_id=fund.id, amount_fen=500, reference="A1", paid_on=today, now=noon
    )
    again = await service.declare_pay_in(
        session, fund.maker, payer_id=fund.id, amount_fen=500, reference="A1", paid_on=today, now=noon
    )
    before = await queries.cash_fen(session, fund.id)
    await service.confirm_pay_in(session, fund.checker, declared.id, now=noon)

    assert (again.id, before, await queries.cash_fen(session, fund.id)) == (declared.id, 0, 500)
    with pytest.raises(PayInStepRefused):
        await service.confirm_pay_in(session, fund.checker, declared.id, now=noon)
    with pytest.raises(PayInReferenceReused):
        await service.declare_pay_in(
            session, fund.maker, payer_id=fund.id, amount_fen=501, reference="A1", paid_on=today, now=noon
        )


async def test_nobody_pays_in_for_another_fund(session: AsyncSession, noon: datetime) -> None:
    ours, theirs = await a_fund(session, now=noon), await a_fund(session, now=noon)

    with pytest.raises(NotFound):
        await some_cash(session, type(ours)(theirs.id, ours.maker, ours.checker), 100, now=noon)


async def test_a_reservation_takes_the_covered_part_and_freezes_the_shares(
    session: AsyncSession, noon: datetime
) -> None:
    line = await a_line(session, capacity_fen=1_000_000, now=noon)
    firm = await a_firm(session, now=noon)

    held = await a_reservation(session, line, firm.organisation_id, principal_fen=100_001, now=noon)

    assert (held.parts.fund_fen, held.parts.guarantor_fen, held.parts.lender_fen) == (30_000, 50_001, 20_000)
    assert held.state is ReservationState.RESERVED
    assert await queries.available_fen(session, line.id) == 1_000_000 - 80_001
    assert await ledger.imbalance_fen(session) == 0


async def test_the_same_offer_is_reserved_once(session: AsyncSession, noon: datetime) -> None:
    line = await a_line(session, capacity_fen=1_000_000, now=noon)
    firm = await a_firm(session, now=noon)
    first = await a_reservation(session, line, firm.organisation_id, principal_fen=100_000, now=noon)
    offer = {"lender_id": line.lender.id, "firm_id": firm.organisation_id, "offer_id": first.offer_id, "rate_bp": 400}

    again = await service.reserve(session, principal_fen=100_000, now=noon, **offer)  # type: ignore[arg-type]

    assert again == first
    assert await queries.available_fen(session, line.id) == 920_000
    with pytest.raises(OfferReservedOtherwise):
        await service.reserve(session, principal_fen=100_001, now=noon, **offer)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("terms", "refusal"),
    [
        ({"principal_fen": 1_250_001}, CapacityExhausted),
        ({"rate_bp": 1_501}, RateAboveAgreement),
        ({"principal_fen": 2_000_001}, FirmCapReached),
        ({"now": datetime.fromisoformat("2027-01-01T04:00:00+00:00")}, NoAgreement),
    ],
)
async def test_what_a_line_does_not_take_is_refused_by_name(
    session: AsyncSession, noon: datetime, terms: dict[str, object], refusal: type[Refusal]
) -> None:
    line = await a_line(session, capacity_fen=1_000_000, per_firm_cap_fen=2_000_000, now=noon)
    firm = await a_firm(session, now=noon)
    plain: dict[str, object] = {"principal_fen": 1_000, "rate_bp": 400, "now": noon}

    with pytest.raises(refusal):
        await a_reservation(session, line, firm.organisation_id, **(plain | terms))  # type: ignore[arg-type]

    assert await queries.available_fen(session, line.id) == 1_000_000


async def test_the_cap_of_a_firm_counts_all_its_loans_under_the_line(session: AsyncSession, noon: datetime) -> None:
    line = await a_line(session, per_firm_cap_fen=1_000, now=noon)
    firm = await a_firm(session, now=noon)
    first = await a_reservation(session, line, firm.organisation_id, principal_fen=600, now=noon)

    with pytest.raises(FirmCapReached):
        await a_reservation(session, line, firm.organisation_id, principal_fen=401, now=noon)

    await service.release(session, first.id, amount_fen=1, reason="repaid", now=noon)
    assert (await a_reservation(session, line, firm.organisation_id, principal_fen=401, now=noon)).principal_fen == 401


async def test_a_second_line_takes_what_the_first_cannot(session: AsyncSession, noon: datetime) -> None:
    lender = await a_lender(session, now=noon)
    small = await a_line(session, lender=lender, capacity_fen=1_000, now=noon)
    large = await a_line(session, lender=lender, capacity_fen=1_000_000, now=noon)
    firm = await a_firm(session, now=noon)

    held = await a_reservation(session, small, firm.organisation_id, principal_fen=100_000, now=noon)

    assert held.agreement_id == large.id


async def test_a_thousand_releases_leave_nothing_and_never_more_than_is_held(
    session: AsyncSession, noon: datetime
) -> None:
    line = await a_line(session, capacity_fen=1_000_000, now=noon)
    firm = await a_firm(session, now=noon)
    held = await a_reservation(session, line, firm.organisation_id, principal_fen=999, now=noon)
    covered = await service.turn_into_cover(session, held.id, loan_id=new_id(), now=noon)

    states = [await service.release(session, covered.id, amount_fen=27, reason="repaid", now=noon) for _ in range(37)]

    assert states[-1].state is ReservationState.RELEASED
    assert [state.held.total_fen for state in states] == [999 - 27 * number for number in range(1, 38)]
    assert await queries.available_fen(session, line.id) == 1_000_000
    with pytest.raises(ReservationStepRefused):
        await service.release(session, covered.id, amount_fen=1, reason="repaid", now=noon)


async def test_more_than_is_held_is_not_released(session: AsyncSession, noon: datetime) -> None:
    line = await a_line(session, now=noon)
    firm = await a_firm(session, now=noon)
    held = await a_reservation(session, line, firm.organisation_id, principal_fen=100, now=noon)

    with pytest.raises(ReleaseTooLarge):
        await service.release(session, held.id, amount_fen=101, reason="repaid", now=noon)


async def test_a_paused_line_takes_nothing_until_two_people_open_it(session: AsyncSession, noon: datetime) -> None:
    line = await a_line(session, now=noon)
    firm = await a_firm(session, now=noon)
    await service.pause_line(session, line.id, now=noon)

    with pytest.raises(NoAgreement):
        await a_reservation(session, line, firm.organisation_id, now=noon)
    with pytest.raises(SamePersonTwice):
        await service.reopen_line(session, line.fund.checker, line.fund.checker, line.id, now=noon)
    await service.reopen_line(session, line.fund.maker, line.fund.checker, line.id, now=noon)

    assert (await a_reservation(session, line, firm.organisation_id, now=noon)).state is ReservationState.RESERVED


async def test_an_ended_line_is_never_opened_again(session: AsyncSession, noon: datetime) -> None:
    line = await a_line(session, now=noon)
    await service.end_line(session, line.fund.maker, line.fund.checker, line.id, now=noon)

    with pytest.raises(LineStepRefused):
        await service.reopen_line(session, line.fund.maker, line.fund.checker, line.id, now=noon)


async def reserve_in_its_own_transaction(sessions: Sessions, line: Line, firm: Viewer, now: datetime) -> str:
    try:
        async with in_transaction(sessions) as session:
            await act_as(session, firm, now=now)
            await a_reservation(session, line, firm.organisation_id, principal_fen=100_000, now=now)  # type: ignore[arg-type]
        return "reserved"
    except Refusal as refusal:
        return refusal.code


async def test_of_eight_reservations_at_once_exactly_those_that_fit_succeed(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        line = await a_line(session, capacity_fen=3 * 80_000 + 79_999, now=noon)
        firms = [await a_firm(session, now=noon) for _number in range(8)]

    answers = await asyncio.gather(*(reserve_in_its_own_transaction(database.app, line, firm, noon) for firm in firms))

    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        left = await queries.available_fen(session, line.id)
        faults = await ledger.check_books(session)
    assert sorted(answers) == ["capacity_exhausted"] * 5 + ["reserved"] * 3
    assert (left, faults) == (79_999, [])


async def test_capacity_for_one_and_two_acceptances_at_the_same_moment_gives_one(
    database: Database, noon: datetime
) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        line = await a_line(session, capacity_fen=80_000, now=noon)
        firms = [await a_firm(session, now=noon) for _number in range(2)]

    answers = await asyncio.gather(*(reserve_in_its_own_transaction(database.app, line, firm, noon) for firm in firms))

    assert sorted(answers) == ["capacity_exhausted", "reserved"]


async def test_a_stranger_sees_no_line_no_money_and_no_reservation(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        line = await a_line(session, fund_cash_fen=1_000, now=noon)
        firm = await a_firm(session, now=noon)
        held = await a_reservation(session, line, firm.organisation_id, now=noon)  # type: ignore[arg-type]
        stranger = await a_lender(session, now=noon + timedelta(seconds=1))

    async with in_transaction(database.app) as session:
        await act_as(session, stranger.maker, now=noon)
        counted = [
            (await session.execute(text(f"SELECT count(*) FROM agreements.{table}"))).scalar_one()
            for table in ("agreement", "line_change", "pay_in", "reservation")
        ]
        listed = await queries.agreements(session, stranger.maker, cursor=None, limit=50)

        assert (counted, listed.rows) == ([0, 0, 0, 0], ())
        with pytest.raises(NotFound):
            await queries.reservation(session, held.id)
        with pytest.raises(NotFound):
            await queries.seen_agreement(session, stranger.maker, line.id)
        with pytest.raises(NotAllowed):
            await queries.seen_cash_fen(session, stranger.maker, line.fund.id)
