"""The second factor: one-time codes by time (TOTP, RFC 6238) and recovery codes for a lost device."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import pyotp

from xinyidai.access.rules import OrganisationKind
from xinyidai.foundation.errors import Refusal

STEP_SECONDS: Final = 30
DRIFT_STEPS: Final = 1
"""How far a device's clock may be off: a code of the step before or after passes, none further away."""
RECOVERY_CODES: Final = 10
ISSUER: Final = "xinyidai"
MAX_CODE: Final = 40
_DIGITS: Final = 6
_MESSAGE_DIGITS: Final = 8
_LETTERS: Final = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
"""Without I, L, O, U, 0 and 1, which are misread from paper."""
_GROUPS: Final = 3
_GROUP_LETTERS: Final = 4

STAFF_KINDS: Final = (
    OrganisationKind.LENDER,
    OrganisationKind.GUARANTOR,
    OrganisationKind.FUND,
    OrganisationKind.REGULATOR,
    OrganisationKind.OPERATOR,
)
"""Whose people must have a second factor where the setting STAFF_SECOND_FACTOR is on."""


class ProofRefused(Refusal):
    """A password or code is wrong, was used before, or the account is shut: one answer for all."""

    code = "proof_refused"
    status = 403
    title_zh = "密码或验证码不正确或已使用；连续 5 次失败后账户锁定 15 分钟"
    title_en = "The password or code is wrong or was used; five failures in a row shut an account for 15 minutes"


class SecondFactorNeeded(Refusal):
    """The password is right and the account has a second factor: a code is needed too."""

    code = "second_factor_needed"
    status = 403
    title_zh = "此账户需要动态验证码"
    title_en = "This account needs a code of its second factor too"


class EnrolmentNeeded(Refusal):
    """People of this kind of organisation must have a second factor, and this person has none yet."""

    code = "enrolment_needed"
    status = 403
    title_zh = "该机构人员必须先登记第二验证因素（动态验证码）"
    title_en = "People of this organisation must enrol a second factor first"


class NotEnrolled(Refusal):
    """There is no second factor, or no enrolment that was begun."""

    code = "not_enrolled"
    title_zh = "尚未登记第二验证因素"
    title_en = "No second factor is enrolled"


class SecondFactorDemanded(Refusal):
    """An organisation of the person demands the second factor, so it is not given up, only replaced."""

    code = "second_factor_demanded"
    title_zh = "您所在机构要求第二验证因素，不能停用，只能重新登记"
    title_en = "An organisation of yours demands the second factor: enrol another instead of giving it up"


@dataclass(frozen=True)
class Enrolment:
    """What an authenticator app is given, shown once: the secret in base32, and the same as a link for a QR code."""

    secret: str
    provisioning_uri: str


def new_secret() -> str:
    """Return a new secret of 160 bits in base32."""
    return pyotp.random_base32()


def enrolment_of(secret: str, *, email: str) -> Enrolment:
    """Return what the app is given."""
    return Enrolment(secret, pyotp.TOTP(secret).provisioning_uri(name=email, issuer_name=ISSUER))


def typed_code(code: str) -> str:
    """Return a code as typed without blanks and hyphens, in capitals."""
    return code[:MAX_CODE].replace(" ", "").replace("-", "").upper()


def matching_step(secret: str, code: str, *, wall_at: datetime, last_step: int | None) -> int | None:
    """Return the time step whose code this is, or None.

    Looks DRIFT_STEPS to both sides of the present and never at or before `last_step`, so that no code passes twice
    (RFC 6238, 5.2). All candidates are compared, in constant time.
    """
    typed = typed_code(code)
    if len(typed) != _DIGITS or not (typed.isascii() and typed.isdigit()):
        return None
    present = int(wall_at.timestamp()) // STEP_SECONDS
    totp = pyotp.TOTP(secret)
    found = None
    for step in range(present - DRIFT_STEPS, present + DRIFT_STEPS + 1):
        is_it = hmac.compare_digest(totp.generate_otp(step), typed)
        if is_it and (last_step is None or step > last_step):
            found = step
    return found


def new_recovery_codes() -> tuple[str, ...]:
    """Return RECOVERY_CODES codes of 12 letters and digits (58 bits) in groups of four."""
    return tuple(
        "-".join("".join(secrets.choice(_LETTERS) for _ in range(_GROUP_LETTERS)) for _ in range(_GROUPS))
        for _ in range(RECOVERY_CODES)
    )


def new_message_code() -> str:
    """Return a code of eight digits, for a message to a phone."""
    return f"{secrets.randbelow(10**_MESSAGE_DIGITS):0{_MESSAGE_DIGITS}d}"


def code_digest(code: str, *, key: bytes) -> bytes:
    """Return what is kept of a code: keyed, since a short code's plain hash could be tried out offline."""
    return hmac.new(key, typed_code(code).encode("utf-8", "replace"), hashlib.sha256).digest()


def demands_second_factor(kinds: Iterable[OrganisationKind], *, is_demanded: bool) -> bool:
    """Say whether people who act for one of these kinds must have a second factor, given the setting."""
    return is_demanded and any(kind in STAFF_KINDS for kind in kinds)
