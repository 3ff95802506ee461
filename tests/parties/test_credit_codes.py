"""The unified social credit code."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from stdnum.cn import uscc

from xinyidai.access.rules import OrganisationKind
from xinyidai.parties.rules import (
    CreditCodeCheckDigitWrong,
    CreditCodeClassUnfit,
    CreditCodeMalformed,
    CreditCodeRefused,
    check_class,
    check_credit_code,
    check_digit_holds,
    normalised_credit_code,
)
from xinyidai.parties.rules.credit_codes import ALPHABET

KNOWN = ("91350100M000100Y43", "11500228733970274Y", "115002280086523530", "11500233742893960Y")
LEGAL_AND_WRONG = ("91350100M0001TGQXM", "91350211M0000XUF46", "91350203M0001FUE2P")

starts = st.builds(
    lambda head, region, tail: head + region + tail,
    st.text(alphabet=ALPHABET, min_size=2, max_size=2),
    st.text(alphabet="0123456789", min_size=6, max_size=6),
    st.text(alphabet=ALPHABET, min_size=9, max_size=9),
)
codes = starts.map(lambda start: start + uscc.calc_check_digit(start))


@pytest.mark.parametrize("code", KNOWN)
def test_known_codes_pass(code: str) -> None:
    check_credit_code(code)


@pytest.mark.parametrize("code", LEGAL_AND_WRONG)
def test_the_early_pilot_codes_fail_the_check_digit(code: str) -> None:
    with pytest.raises(CreditCodeCheckDigitWrong):
        check_credit_code(code)


@given(code=codes, position=st.integers(0, 17), other=st.sampled_from(ALPHABET))
def test_every_changed_character_is_found(code: str, position: int, other: str) -> None:
    assume(code[position] != other)

    changed = code[:position] + other + code[position + 1 :]

    assert not check_digit_holds(changed)


@given(code=codes, first=st.integers(0, 17), second=st.integers(0, 17))
def test_every_exchange_but_of_first_and_last_is_found(code: str, first: int, second: int) -> None:
    assume(code[first] != code[second] and {first, second} != {0, 17})
    letters = list(code)

    letters[first], letters[second] = letters[second], letters[first]

    assert not check_digit_holds("".join(letters))


@given(code=codes)
def test_a_code_of_any_authority_passes_with_its_own_check_digit(code: str) -> None:
    check_credit_code(code)


@pytest.mark.parametrize(
    "typed",
    [
        "91350100m000100y43",
        " 9135 0100 M000 100Y 43 ",
        "91350100-M000100Y43",
        "９１３５０１００Ｍ０００１００Ｙ４３",
        "９１３５０１００\u3000ｍ０００１００ｙ４３",
    ],
)
def test_what_keyboards_and_spreadsheets_do_is_undone(typed: str) -> None:
    assert normalised_credit_code(typed) == "91350100M000100Y43"


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "91350100M000100Y4",
        "91350100M000100Y433",
        "91350100M000100I43",
        "9135010OM000100Y43",
        "91350100М000100Y43",
        "9135010①M000100Y43",
        "91350100M000100Y4\u0663",
        "91350100M000100Y43\u202e",
        "91350100M000100Y4ſ",
        "9" * 10_000,
        "91350100M000100Y43\x00",
    ],
)
def test_what_is_no_code_is_refused_and_not_guessed(typed: str) -> None:
    with pytest.raises(CreditCodeMalformed):
        normalised_credit_code(typed)


@given(typed=st.text(max_size=80))
def test_any_text_is_either_a_code_or_refused(typed: str) -> None:
    outcome: str | CreditCodeRefused
    try:
        outcome = normalised_credit_code(typed)
    except CreditCodeRefused as refused:
        outcome = refused

    assert isinstance(outcome, CreditCodeMalformed) or len(outcome) == 18


@pytest.mark.parametrize(
    ("kind", "start"),
    [
        (OrganisationKind.FIRM, "91"),
        (OrganisationKind.FIRM, "93"),
        (OrganisationKind.SOLE_TRADER, "92"),
        (OrganisationKind.LENDER, "91"),
        (OrganisationKind.FUND, "12"),
        (OrganisationKind.REGULATOR, "11"),
    ],
)
def test_the_class_fits_the_kind(kind: OrganisationKind, start: str) -> None:
    check_class(kind, start + "500103MA00000000")


@pytest.mark.parametrize(
    ("kind", "start"),
    [
        (OrganisationKind.FIRM, "92"),
        (OrganisationKind.FIRM, "11"),
        (OrganisationKind.SOLE_TRADER, "91"),
        (OrganisationKind.SOLE_TRADER, "93"),
        (OrganisationKind.LENDER, "92"),
    ],
)
def test_a_code_of_another_class_is_refused(kind: OrganisationKind, start: str) -> None:
    with pytest.raises(CreditCodeClassUnfit):
        check_class(kind, start + "500103MA00000000")
