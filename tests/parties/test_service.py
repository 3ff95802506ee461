"""Registering parties, their regions and sizes, and the legal exceptions."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import asyncpg
import pytest
from builders_parties import (
    a_credit_code,
    a_firm,
    a_fund,
    a_guarantor,
    a_lender,
    a_regulator,
    a_sole_trader,
    the_operator,
)
from conftest import Database
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import OrganisationKind, Role, SamePersonTwice
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import NotAllowed, NotFound, Refusal, ValueRefused
from xinyidai.foundation.ids import new_id
from xinyidai.parties import queries, service
from xinyidai.parties.rules import (
    PLATFORM_ID,
    CreditCodeCheckDigitWrong,
    CreditCodeClassUnfit,
    DuplicateParty,
    DuplicateUser,
    ExceptionNotNeeded,
    ExceptionStands,
    IndustryUnknown,
    PartyId,
    PartyView,
    RegionUnknown,
    SizeClass,
)

LEGAL_AND_WRONG = ("91350100M0001TGQXM", "91350211M0000XUF46", "91350203M0001FUE2P")
WRONG = "91500103000000001A"
CHANGED = date(2025, 11, 6)
AFTER_CHANGE = datetime(2025, 11, 6, 4, tzinfo=UTC)
OWNER = service.Owner("owner@example.com", "王小明", "a long pass phrase")


async def register(session: AsyncSession, now: datetime, **changed: str | None) -> PartyId:
    facts: dict[str, str | None] = {
        "name": "重庆小面食品有限公司",
        "credit_code": a_credit_code(),
        "region_code": "500103",
    }
    return await service.register_party(
        session,
        kind=OrganisationKind.FIRM,
        now=now,
        **(facts | changed),  # type: ignore[arg-type]
    )


async def firms(session: AsyncSession) -> tuple[PartyView, ...]:
    """Return the first page of firms."""
    return (await queries.party_page(session, kind=OrganisationKind.FIRM, cursor=None, limit=50)).rows


async def test_every_kind_of_party_can_be_built(session: AsyncSession, noon: datetime) -> None:
    firm = await a_firm(session, now=noon)
    trader = await a_sole_trader(session, now=noon)
    desks = [await build(session, now=noon) for build in (a_lender, a_guarantor, a_fund, a_regulator, the_operator)]

    view = await queries.party(session, firm.organisation_id)

    assert view.staff == 12
    assert view.region_code == "500103"
    assert view.industry_section == "F"
    assert trader.organisation_kind is OrganisationKind.SOLE_TRADER
    assert [(await queries.desk(session, desk.id)).is_complete for desk in desks] == [True] * 5


async def test_the_operator_is_there_from_the_start(session: AsyncSession) -> None:
    view = await queries.party(session, PLATFORM_ID)

    assert view.kind is OrganisationKind.OPERATOR


async def test_a_code_is_kept_in_its_one_spelling_and_found_in_any(session: AsyncSession, noon: datetime) -> None:
    code = a_credit_code()

    party_id = await register(session, noon, credit_code=f" {code[:8].lower()} {code[8:].lower()}")
    found = await queries.parties_by_credit_code(session, [code, "91350100M000100Y43"])

    assert list(found) == [code]
    assert found[code].id == party_id


async def test_a_code_is_registered_once(session: AsyncSession, noon: datetime) -> None:
    code = a_credit_code()
    await register(session, noon, credit_code=code)

    with pytest.raises(DuplicateParty):
        await register(session, noon, credit_code=code.lower(), name="另一个名字")


async def test_of_two_registrations_at_once_exactly_one_succeeds(database: Database, noon: datetime) -> None:
    code = a_credit_code()

    async def attempt() -> str:
        async with in_transaction(database.app) as session:
            await register(session, noon, credit_code=code)
            await asyncio.sleep(0.05)
        return "registered"

    outcomes = await asyncio.gather(*(attempt() for _ in range(6)), return_exceptions=True)

    assert outcomes.count("registered") == 1
    assert sum(isinstance(outcome, DuplicateParty) for outcome in outcomes) == 5


async def test_a_wrong_check_digit_is_refused_and_nothing_is_written(database: Database, noon: datetime) -> None:
    with pytest.raises(CreditCodeCheckDigitWrong):
        async with in_transaction(database.app) as session:
            await register(session, noon, credit_code=WRONG)

    async with in_transaction(database.app) as session:
        assert await firms(session) == ()


async def test_a_sole_traders_code_is_no_firms(session: AsyncSession, noon: datetime) -> None:
    with pytest.raises(CreditCodeClassUnfit):
        await register(session, noon, credit_code=a_credit_code(OrganisationKind.SOLE_TRADER))


@pytest.mark.parametrize("code", LEGAL_AND_WRONG)
async def test_the_early_pilot_codes_are_admitted_with_a_reason(
    session: AsyncSession, noon: datetime, code: str
) -> None:
    party_id = await register(session, noon, credit_code=code)

    assert (await queries.party(session, party_id)).credit_code == code


async def test_another_exception_takes_two_people_and_a_reason(session: AsyncSession, noon: datetime) -> None:
    operator = await the_operator(session, now=noon)
    exception_id = await service.propose_code_exception(
        session, operator.maker, credit_code=WRONG, reason="business licence seen in the original", now=noon
    )
    with pytest.raises(CreditCodeCheckDigitWrong):
        await register(session, noon, credit_code=WRONG)

    await service.approve_code_exception(session, operator.checker, exception_id, now=noon)
    party_id = await register(session, noon, credit_code=WRONG)

    assert (await queries.party(session, party_id)).credit_code == WRONG


async def test_nobody_approves_an_exception_of_their_own(session: AsyncSession, noon: datetime) -> None:
    user_id = await service.create_operator(
        session, email="one@example.com", display_name="一人", password="a long pass phrase", now=noon
    )
    both = await queries.viewer_for(session, user_id, PLATFORM_ID)
    assert both is not None
    exception_id = await service.propose_code_exception(
        session, both, credit_code=WRONG, reason="business licence seen in the original", now=noon
    )

    with pytest.raises(SamePersonTwice):
        await service.approve_code_exception(session, both, exception_id, now=noon)


async def test_an_exception_is_for_codes_that_need_one_and_once(session: AsyncSession, noon: datetime) -> None:
    operator = await the_operator(session, now=noon)
    await service.propose_code_exception(
        session, operator.maker, credit_code=WRONG, reason="business licence seen", now=noon
    )

    for code, refusal in (
        (a_credit_code(), ExceptionNotNeeded),
        (WRONG, ExceptionStands),
        (LEGAL_AND_WRONG[0], ExceptionStands),
    ):
        with pytest.raises(refusal):
            await service.propose_code_exception(
                session, operator.maker, credit_code=code, reason="business licence seen", now=noon
            )


async def test_only_the_operators_desk_admits_exceptions(session: AsyncSession, noon: datetime) -> None:
    bank = await a_lender(session, now=noon)
    operator = await the_operator(session, now=noon)

    for viewer in (bank.maker, operator.checker):
        with pytest.raises(NotAllowed):
            await service.propose_code_exception(
                session, viewer, credit_code=WRONG, reason="business licence seen", now=noon
            )


async def test_what_does_not_exist_is_refused_by_name(session: AsyncSession, noon: datetime) -> None:
    for changed, refusal in (
        ({"region_code": "500999"}, RegionUnknown),
        ({"region_code": "500228"}, RegionUnknown),
        ({"industry_code": "Z99"}, IndustryUnknown),
        ({"industry_code": "C99"}, IndustryUnknown),
        ({"name": "名\u202e称"}, ValueRefused),
    ):
        with pytest.raises(refusal):
            await register(session, noon, **changed)  # type: ignore[arg-type]


async def test_a_firm_is_not_founded_tomorrow(session: AsyncSession, noon: datetime) -> None:
    with pytest.raises(ValueRefused):
        await a_firm(session, established_on=date(2025, 6, 17), now=noon)


async def test_there_are_38_districts_and_counties_before_the_change_and_37_after(session: AsyncSession) -> None:
    before = await queries.regions_on(session, CHANGED - timedelta(days=1))
    after = await queries.regions_on(session, CHANGED)

    assert len(before) == 38
    assert len(after) == 37
    assert {view.code for view in before} - {view.code for view in after} == {"500105", "500112"}
    assert {view.code for view in after} - {view.code for view in before} == {"CQ-LJ"}
    kinds = [view.kind.value for view in after]
    assert (kinds.count("district"), kinds.count("county"), kinds.count("autonomous_county")) == (25, 8, 4)


async def test_zones_are_reporting_units_and_count_as_none(session: AsyncSession) -> None:
    before = await queries.regions_on(session, CHANGED - timedelta(days=1), with_zones=True)
    after = await queries.regions_on(session, CHANGED, with_zones=True)

    assert [view.code for view in before if not view.is_unit] == ["CQ-GX", "CQ-LJ", "CQ-WS"]
    assert [view.code for view in after if not view.is_unit] == ["CQ-GX", "CQ-WS"]


async def test_a_firm_of_an_ended_district_is_followed_or_asked(session: AsyncSession) -> None:
    whole = await queries.region_on(session, "500105", CHANGED)
    divided = await queries.region_on(session, "500112", CHANGED)
    untouched = await queries.region_on(session, "500103", CHANGED)

    assert whole.code == "CQ-LJ"
    assert (divided.code, divided.candidates) == (None, ("500109", "CQ-LJ"))
    assert untouched.code == "500103"


async def test_a_district_takes_firms_only_while_it_exists(session: AsyncSession, noon: datetime) -> None:
    await register(session, noon, region_code="500105")

    with pytest.raises(RegionUnknown):
        await register(session, AFTER_CHANGE, region_code="500105")
    await register(session, AFTER_CHANGE, region_code="CQ-LJ")


async def test_a_firm_moves_and_the_code_does_not_say_where_it_sits(session: AsyncSession, noon: datetime) -> None:
    owner = await a_firm(session, region_code="500112", now=noon)

    await service.move_party(
        session, owner, owner.organisation_id, region_code="500109", valid_from=CHANGED, now=AFTER_CHANGE
    )

    view = await queries.party(session, owner.organisation_id)
    assert view.region_code == "500109"
    assert view.credit_code is not None
    assert view.credit_code[2:8] == "500103"


async def test_a_firm_is_moved_by_itself_or_the_operator_only(session: AsyncSession, noon: datetime) -> None:
    owner = await a_firm(session, now=noon)
    stranger = await a_firm(session, now=noon)
    today = date(2025, 6, 16)

    with pytest.raises(NotAllowed):
        await service.move_party(
            session, stranger, owner.organisation_id, region_code="500106", valid_from=today, now=noon
        )
    with pytest.raises(ValueRefused):
        await service.move_party(
            session, owner, owner.organisation_id, region_code="500106", valid_from=date(2025, 6, 17), now=noon
        )


async def test_an_official_code_is_recorded_and_the_earlier_belief_stays(session: AsyncSession, noon: datetime) -> None:
    operator = await the_operator(session, now=noon)
    recorded_at = datetime(2026, 6, 1, tzinfo=UTC)

    corrected = await service.correct_region(
        session, operator.maker, code="CQ-LJ", gb_code="500199", note="a made-up code of a test", now=recorded_at
    )

    day = date(2026, 1, 1)
    earlier = await queries.regions_on(session, day, known_at=recorded_at - timedelta(seconds=1))
    assert corrected.gb_code == "500199"
    assert [view.gb_code for view in earlier if view.code == "CQ-LJ"] == [None]
    assert len(await queries.regions_on(session, day)) == 37


async def test_the_twenty_sections_are_there(session: AsyncSession) -> None:
    sections = await queries.industries_on(session, date(2025, 6, 16))

    assert "".join(view.code for view in sections) == "ABCDEFGHIJKLMNOPQRST"
    assert sections[0].first_division == 1
    assert all(later.first_division == earlier.last_division + 1 for earlier, later in pairwise(sections))


async def test_a_size_follows_from_what_the_firm_declared(session: AsyncSession, noon: datetime) -> None:
    owner = await a_firm(session, industry_code="F52", staff=None, now=noon)
    today = date(2025, 6, 16)
    unknown = await queries.size_class(session, owner.organisation_id, today)

    await service.declare_size(
        session, owner, staff=50, revenue_fen=500_000_000, assets_fen=None, valid_from=today, now=noon
    )
    verdict = await queries.size_class(session, owner.organisation_id, today)

    assert unknown.size is SizeClass.UNKNOWN
    assert [measure.value for measure in unknown.missing] == ["staff", "revenue_fen"]
    assert verdict.size is SizeClass.MEDIUM
    assert verdict.is_verified is False


async def test_the_size_table_holds_the_sixteen_industries(session: AsyncSession) -> None:
    table = await queries.size_bounds(session, date(2025, 6, 16))
    before = await queries.size_bounds(session, date(2011, 6, 17))

    assert len(table.bounds) == 16
    assert sum(len(measures) for measures in table.bounds.values()) == 30
    assert before.bounds == {}


async def test_a_declared_size_is_seen_by_the_firm_alone(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        owner = await a_firm(session, staff=12, now=noon)
        bank = await a_lender(session, now=noon)

    seen = []
    for viewer in (owner, bank.maker):
        async with in_transaction(database.app) as session:
            await act_as(session, viewer, now=noon)
            seen.append((await queries.party(session, owner.organisation_id)).staff)

    assert seen == [12, None]


async def test_a_firm_registers_itself_with_its_owner(database: Database, noon: datetime) -> None:
    async with in_transaction(database.app) as session:
        party_id, user_id = await service.register_firm(
            session,
            OWNER,
            kind=OrganisationKind.SOLE_TRADER,
            name="小面馆",
            credit_code=a_credit_code(OrganisationKind.SOLE_TRADER),
            region_code="500103",
            staff=2,
            now=noon,
        )

    async with in_transaction(database.app) as session:
        viewer = await queries.viewer_for(session, user_id, party_id)
    assert viewer is not None
    assert viewer.roles == {Role.OWNER}
    assert viewer.organisation_kind is OrganisationKind.SOLE_TRADER


async def test_a_registration_never_tries_the_password_of_an_account(database: Database, noon: datetime) -> None:
    async def register_one() -> None:
        async with in_transaction(database.app) as session:
            await service.register_firm(
                session,
                OWNER,
                kind=OrganisationKind.FIRM,
                name="某公司",
                credit_code=a_credit_code(),
                region_code="500103",
                now=noon,
            )

    await register_one()
    with pytest.raises(DuplicateUser):
        await register_one()

    async with in_transaction(database.app) as session:
        assert len(await firms(session)) == 1


async def test_a_bank_does_not_register_itself(session: AsyncSession, noon: datetime) -> None:
    with pytest.raises(ValueRefused):
        await service.register_firm(
            session,
            OWNER,
            kind=OrganisationKind.LENDER,
            name="某银行",
            credit_code=a_credit_code(),
            region_code="500103",
            now=noon,
        )


async def test_organisations_are_registered_by_the_operator(session: AsyncSession, noon: datetime) -> None:
    operator = await the_operator(session, now=noon)
    bank = await a_lender(session, now=noon)
    facts = {"name": "第二银行", "credit_code": a_credit_code(), "region_code": "500103", "now": noon}

    party_id = await service.register_organisation(session, operator.maker, kind=OrganisationKind.LENDER, **facts)  # type: ignore[arg-type]

    assert (await queries.party(session, party_id)).name == "第二银行"
    with pytest.raises(NotAllowed):
        await service.register_organisation(session, bank.maker, kind=OrganisationKind.LENDER, **facts)  # type: ignore[arg-type]
    for kind in (OrganisationKind.FIRM, OrganisationKind.OPERATOR):
        with pytest.raises(ValueRefused):
            await service.register_organisation(session, operator.maker, kind=kind, **facts)  # type: ignore[arg-type]


async def test_what_nobody_registered_is_not_found(session: AsyncSession) -> None:
    with pytest.raises(NotFound):
        await queries.party(session, new_id())


async def test_where_a_party_sat_is_never_overwritten(
    database: Database, noon: datetime, admin: asyncpg.Connection
) -> None:
    async with in_transaction(database.app) as session:
        await register(session, noon)

    with pytest.raises(asyncpg.PostgresError, match="append_only"):
        await admin.execute("UPDATE parties.party_region SET region_code = '500106'")


async def test_the_database_itself_refuses_a_code_of_another_shape(database: Database, noon: datetime) -> None:
    with pytest.raises(DBAPIError, match="credit_code_shape"):
        async with in_transaction(database.app) as session:
            await session.execute(
                text(
                    "INSERT INTO parties.party (id, kind, name, credit_code, is_simulated, registered_at)"
                    " VALUES (:id, 'firm', 'x', '91350100O000100Y43', false, :now)"
                ),
                {"id": new_id(), "now": noon},
            )


def test_every_refusal_of_the_room_has_both_languages() -> None:
    ours = [one for one in Refusal.registry.values() if one.__module__.startswith("xinyidai.parties")]

    assert len(ours) >= 12
    assert all(any("\u4e00" <= letter <= "\u9fff" for letter in one.title_zh) for one in ours)
