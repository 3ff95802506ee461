"""Names, emails, regions, sizes and desks, pure."""

from datetime import date
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinyidai.access.rules import OrganisationKind, Role
from xinyidai.foundation.errors import ValueRefused
from xinyidai.parties.rules import (
    IndustryView,
    Measure,
    SizeBounds,
    SizeClass,
    SizeIndustry,
    Successor,
    UserId,
    checked_email,
    checked_name,
    checked_password,
    desk_of,
    region_on_day,
    size_class,
    size_industry,
)

TABLE = {
    SizeIndustry.RETAIL: {
        Measure.STAFF: SizeBounds(300, 50, 10),
        Measure.REVENUE: SizeBounds(20_000_000_000, 500_000_000, 100_000_000),
    },
    SizeIndustry.AGRICULTURE: {Measure.REVENUE: SizeBounds(20_000_000_000, 500_000_000, 50_000_000)},
}
CHANGED = date(2025, 11, 6)
SUCCESSORS = (
    Successor("500105", "CQ-LJ", CHANGED, 1_000_000, ""),
    Successor("500112", "CQ-LJ", CHANGED, None, ""),
    Successor("500112", "500109", CHANGED, None, ""),
)


@pytest.mark.parametrize("name", ["重庆小面食品有限公司", "A", "Zoë & Söhne", "㐀" * 120, "𠮷野家"])
def test_real_names_stay_as_they_are(name: str) -> None:
    assert checked_name(f"  {name}\t") == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "   ",
        "名" * 121,
        "名" * 1_000_000,
        "重庆\u202e司公限有",
        "重庆\u2066司",
        "重庆\u200b公司",
        "重庆\x00公司",
        "重庆\n公司",
        "重庆\ufeff公司",
        "重庆\ud800",
        "重\u2028庆",
    ],
)
def test_names_that_hide_something_are_refused(name: str) -> None:
    with pytest.raises(ValueRefused):
        checked_name(name)


def test_an_email_is_folded() -> None:
    assert checked_email(" Owner@Example.COM ") == "owner@example.com"


@pytest.mark.parametrize(
    "email",
    ["", "a", "a@b", "a@@b.cn", "a b@c.cn", "а@example.com", "a@例子.cn", "a@b.cn\x00", "a@-b.cn", "x" * 250 + "@b.cn"],
)
def test_what_is_no_email_is_refused(email: str) -> None:
    with pytest.raises(ValueRefused):
        checked_email(email)


@pytest.mark.parametrize("password", ["", "elevenchars", "a" * 40, "x" * 257])
def test_short_long_and_repeated_passwords_are_refused(password: str) -> None:
    with pytest.raises(ValueRefused):
        checked_password(password)


def test_a_region_that_went_whole_is_followed() -> None:
    assert region_on_day("500105", SUCCESSORS, day=CHANGED).code == "CQ-LJ"


def test_a_region_stays_itself_before_its_change() -> None:
    assert region_on_day("500105", SUCCESSORS, day=date(2025, 11, 5)).code == "500105"


def test_a_divided_region_is_not_guessed() -> None:
    resolved = region_on_day("500112", SUCCESSORS, day=CHANGED)

    assert resolved.code is None
    assert resolved.candidates == ("500109", "CQ-LJ")


@pytest.mark.parametrize(
    ("code", "holds"), [("C", True), ("C13", True), ("C1311", True), ("C44", False), ("C1", False)]
)
def test_an_industry_code_belongs_to_its_section(code: str, holds: bool) -> None:
    manufacturing = IndustryView("C", "制造业", "Manufacturing", 13, 43)

    assert manufacturing.holds(code) is holds


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("C13", SizeIndustry.MANUFACTURING),
        ("F51", SizeIndustry.WHOLESALE),
        ("F5212", SizeIndustry.RETAIL),
        ("K7010", SizeIndustry.REAL_ESTATE_DEVELOPMENT),
        ("K702", SizeIndustry.PROPERTY_MANAGEMENT),
        ("I65", SizeIndustry.SOFTWARE),
        ("O81", SizeIndustry.OTHER),
        ("F", None),
        ("J66", None),
        ("G53", None),
        ("S91", None),
    ],
)
def test_the_standards_industry_follows_from_the_code(code: str, expected: SizeIndustry | None) -> None:
    assert size_industry(code) == expected


@pytest.mark.parametrize(
    ("staff", "revenue_fen", "expected"),
    [
        (300, 20_000_000_000, SizeClass.LARGE),
        (299, 20_000_000_000, SizeClass.MEDIUM),
        (300, 19_999_999_999, SizeClass.MEDIUM),
        (50, 500_000_000, SizeClass.MEDIUM),
        (49, 500_000_000, SizeClass.SMALL),
        (50, 499_999_999, SizeClass.SMALL),
        (10, 100_000_000, SizeClass.SMALL),
        (9, 100_000_000, SizeClass.MICRO),
        (10, 99_999_999, SizeClass.MICRO),
        (10_000, 0, SizeClass.MICRO),
        (0, 0, SizeClass.MICRO),
        (None, 100_000_000, SizeClass.UNKNOWN),
        (10, None, SizeClass.UNKNOWN),
    ],
)
def test_a_class_needs_both_its_lower_bounds(staff: int | None, revenue_fen: int | None, expected: SizeClass) -> None:
    assert size_class(SizeIndustry.RETAIL, staff, revenue_fen, None, TABLE) is expected


def test_a_measure_that_the_industry_does_not_use_may_be_missing() -> None:
    assert size_class(SizeIndustry.AGRICULTURE, None, 50_000_000, None, TABLE) is SizeClass.SMALL


def test_an_industry_without_a_row_is_of_unknown_size() -> None:
    assert size_class(SizeIndustry.POST, 10, 10, 10, TABLE) is SizeClass.UNKNOWN


@given(staff=st.integers(0, 2_000), revenue=st.integers(0, 10**11), more=st.integers(0, 10**11))
def test_growing_never_makes_a_firm_smaller(staff: int, revenue: int, more: int) -> None:
    order = [SizeClass.MICRO, SizeClass.SMALL, SizeClass.MEDIUM, SizeClass.LARGE]

    before = size_class(SizeIndustry.RETAIL, staff, revenue, None, TABLE)
    after = size_class(SizeIndustry.RETAIL, staff, revenue + more, None, TABLE)

    assert order.index(after) >= order.index(before)


def user(number: int) -> UserId:
    return UserId(UUID(int=number))


def test_two_people_in_two_roles_are_a_desk() -> None:
    roles = {user(1): frozenset({Role.OFFICER}), user(2): frozenset({Role.APPROVER})}

    assert desk_of(OrganisationKind.LENDER, roles).is_complete


def test_one_person_in_two_roles_is_no_desk() -> None:
    desk = desk_of(OrganisationKind.FUND, {user(1): frozenset({Role.OFFICER, Role.APPROVER})})

    assert not desk.is_complete
    assert desk.missing == (Role.APPROVER,)


def test_two_officers_are_no_desk() -> None:
    desk = desk_of(OrganisationKind.LENDER, {user(n): frozenset({Role.OFFICER}) for n in (1, 2)})

    assert desk.missing == (Role.APPROVER,)


def test_a_firm_needs_only_its_owner() -> None:
    assert desk_of(OrganisationKind.FIRM, {user(1): frozenset({Role.OWNER})}).is_complete
    assert not desk_of(OrganisationKind.FIRM, {}).is_complete
