"""Codes, tokens, recovery and what is told of a browser: pure."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from xinyidai.access.rules import STEP_UP_LASTS, OrganisationKind, PrincipalKind, StepUpNeeded, Viewer
from xinyidai.access.rules import requires_fresh_proof as requires_fresh
from xinyidai.parties.rules import (
    STAFF_KINDS,
    AccountRecoveryNeedsOperator,
    PartyId,
    RecoveryKind,
    coarse_agent,
    code_digest,
    demands_second_factor,
    matching_step,
    may_recover_alone,
    new_message_code,
    new_recovery_codes,
    new_secret,
    recovery_kind,
    token_digest,
)

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
MOMENTS = st.integers(min_value=1_600_000_000, max_value=4_000_000_000)


def at(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


@given(MOMENTS, st.integers(min_value=-5, max_value=5))
def test_a_code_passes_within_one_step_of_drift_and_no_further(second: int, drift: int) -> None:
    present = second // 30
    code = pyotp.TOTP(SECRET).generate_otp(present + drift)
    near = {pyotp.TOTP(SECRET).generate_otp(present + one) for one in (-1, 0, 1)}

    found = matching_step(SECRET, code, wall_at=at(second), last_step=None)

    assert (found is not None) == (code in near)


@given(MOMENTS, st.lists(st.integers(min_value=-2, max_value=2), max_size=12))
def test_however_codes_are_sent_the_steps_that_pass_only_rise(second: int, drifts: list[int]) -> None:
    last: int | None = None
    passed: list[int] = []
    for number, drift in enumerate(drifts):
        moment = second + number * 10
        code = pyotp.TOTP(SECRET).generate_otp(moment // 30 + drift)
        step = matching_step(SECRET, code, wall_at=at(moment), last_step=last)
        last = step if step is not None else last
        passed += [step] * (step is not None)

    assert passed == sorted(set(passed))


@given(st.text(max_size=60))
def test_what_is_no_six_digits_is_no_code(typed: str) -> None:
    digits = typed.replace(" ", "").replace("-", "")
    is_shaped = len(digits) == 6 and digits.isascii() and digits.isdigit()

    assert is_shaped or matching_step(SECRET, typed, wall_at=at(1_700_000_000), last_step=None) is None


def test_a_code_may_be_typed_in_groups() -> None:
    code = pyotp.TOTP(SECRET).generate_otp(1_700_000_000 // 30)

    assert matching_step(SECRET, f" {code[:3]} {code[3:]} ", wall_at=at(1_700_000_000), last_step=None) is not None


def test_the_code_is_the_one_of_rfc_6238() -> None:
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # the ASCII key "12345678901234567890" of its appendix B

    assert matching_step(secret, "287082", wall_at=at(59), last_step=None) == 1
    assert matching_step(secret, "005924", wall_at=at(1_234_567_890), last_step=None) == 1_234_567_890 // 30


def test_secrets_and_codes_are_long_and_differ() -> None:
    codes = new_recovery_codes()

    assert len(new_secret()) == 32
    assert len(set(codes)) == 10
    assert all(len(code.replace("-", "")) == 12 for code in codes)
    assert len(new_message_code()) == 8


def test_a_recovery_code_is_the_same_however_it_is_typed_and_another_under_another_key() -> None:
    (code, *_) = new_recovery_codes()

    typed = code_digest(f" {code.lower().replace('-', ' ')}", key=b"k" * 32)

    assert typed == code_digest(code, key=b"k" * 32)
    assert typed != code_digest(code, key=b"j" * 32)


@given(st.text(max_size=300))
def test_any_text_has_a_digest_of_32_bytes(text: str) -> None:
    assert len(token_digest(text)) == 32


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit Chrome/140 Safari/537.36 Edg/140.0", "Edge, Windows"),
        ("Mozilla/5.0 (Linux; Android 15) AppleWebKit Chrome/140 Mobile Safari/537.36", "Chrome, Android"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) MicroMessenger/8.0", "WeChat, iOS"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 15) AppleWebKit Version/18 Safari/605", "Safari, macOS"),
        ("curl/8.9", "other"),
        ("", "other"),
    ],
)
def test_of_a_browser_only_its_kind_and_system_are_told(header: str, told: str) -> None:
    assert coarse_agent(header) == told


def test_a_desk_recovers_who_belongs_to_it_alone_and_the_operator_anybody() -> None:
    desk, other = PartyId(uuid4()), PartyId(uuid4())

    assert recovery_kind(desk, is_operator=False, held=[desk]) is RecoveryKind.DESK
    assert recovery_kind(desk, is_operator=True, held=[other]) is RecoveryKind.OPERATOR
    with pytest.raises(AccountRecoveryNeedsOperator):
        recovery_kind(desk, is_operator=False, held=[desk, other])


def test_only_people_of_one_person_desks_recover_alone() -> None:
    assert may_recover_alone([OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER])
    assert not may_recover_alone([OrganisationKind.FIRM, OrganisationKind.LENDER])
    assert not may_recover_alone([])


def test_staff_must_have_a_second_factor_where_the_setting_says_so() -> None:
    assert all(demands_second_factor([kind], is_demanded=True) for kind in STAFF_KINDS)
    assert not demands_second_factor([OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER], is_demanded=True)
    assert not demands_second_factor(STAFF_KINDS, is_demanded=False)


@pytest.mark.parametrize(
    ("kind", "age", "is_refused"),
    [
        (PrincipalKind.USER, timedelta(0), False),
        (PrincipalKind.USER, STEP_UP_LASTS, False),
        (PrincipalKind.USER, STEP_UP_LASTS + timedelta(seconds=1), True),
        (PrincipalKind.USER, None, True),
        (PrincipalKind.CLIENT, None, False),
    ],
)
def test_a_proof_counts_for_five_minutes_and_keys_need_none(
    kind: PrincipalKind, age: timedelta | None, is_refused: bool, noon: datetime
) -> None:
    proved_at = noon - age if age is not None else None
    viewer = Viewer(uuid4(), kind, uuid4(), OrganisationKind.FUND, frozenset(), proved_at=proved_at)

    refused = []
    try:
        requires_fresh(viewer, wall_at=noon)
    except StepUpNeeded as refusal:
        refused.append(refusal)

    assert bool(refused) is is_refused
