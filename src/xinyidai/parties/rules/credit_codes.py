"""The unified social credit code (统一社会信用代码), GB 32100-2015: alphabet, layout, check digit, class digit."""

import re

from stdnum.cn import uscc

from xinyidai.access.rules import OrganisationKind
from xinyidai.foundation.errors import Refusal

CODE_LENGTH = 18
ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_MAX_TYPED = 64
_IN_ITS_SPELLING = re.compile(f"[{ALPHABET}]{{2}}[0-9]{{6}}[{ALPHABET}]{{10}}")
_SEPARATORS = frozenset(" -\u00a0\u3000\u2013\uff0d\t")
_FULL_WIDTH = range(0xFF01, 0xFF5F)
_FULL_WIDTH_OFFSET = 0xFEE0

_CLASSES_OF_KIND: dict[OrganisationKind, frozenset[str]] = {
    # Digits 1-2: market regulation (9) with enterprise (1), sole trader (2), farmers' cooperative (3).
    OrganisationKind.FIRM: frozenset({"91", "93"}),
    OrganisationKind.SOLE_TRADER: frozenset({"92"}),
    OrganisationKind.LENDER: frozenset({"91"}),
}
"""What the first two characters must be; kinds not named (funds, agencies, regulators) may be of any class."""


class CreditCodeRefused(Refusal):
    """The credit code cannot be accepted; subclasses say why."""

    code = "credit_code_refused"
    status = 422
    title_zh = "统一社会信用代码不被接受"
    title_en = "The unified social credit code is refused"


class CreditCodeMalformed(CreditCodeRefused):
    """Not 18 characters of the code's alphabet, or letters where the layout has digits."""

    code = "credit_code_malformed"
    title_zh = "统一社会信用代码应为 18 位数字或大写字母（不含 I、O、Z、S、V），第 3 至 8 位为数字"
    title_en = "A credit code has 18 digits or capitals (not I, O, Z, S, V); its characters 3 to 8 are digits"


class CreditCodeCheckDigitWrong(CreditCodeRefused):
    """The 18th character does not follow from the first 17, and the code is not an admitted exception."""

    code = "credit_code_check_digit_wrong"
    title_zh = "统一社会信用代码校验位不符，请核对；确属早期试点代码的，可由平台两名人员登记例外"
    title_en = "The check digit does not fit; a legal early code can be admitted by two people of the platform"


class CreditCodeClassUnfit(CreditCodeRefused):
    """The first two characters say another kind of organisation than the one registering."""

    code = "credit_code_class_unfit"
    title_zh = "统一社会信用代码前两位（{got}）与主体类型不符，应为：{wanted}"
    title_en = "The first two characters ({got}) do not fit the kind of party; wanted: {wanted}"


def normalised_credit_code(typed: str) -> str:
    """Return the code in its one spelling: half width, capitals, no spaces or hyphens.

    Only what people and spreadsheets do to a code is undone; look-alikes of other scripts are refused.

    Raises
    ------
    CreditCodeMalformed
        What remains is not 18 characters of the alphabet with digits at 3 to 8.
    """
    if _IN_ITS_SPELLING.fullmatch(typed):
        return typed
    if len(typed) > _MAX_TYPED:
        raise CreditCodeMalformed
    kept = "".join(_half_width(character) for character in typed if character not in _SEPARATORS)
    code = kept.upper() if kept.isascii() else ""
    if len(code) != CODE_LENGTH or set(code) - set(ALPHABET) or not code[2:8].isdigit():
        raise CreditCodeMalformed
    return code


def check_digit_holds(code: str) -> bool:
    """Say whether the 18th character follows from the first 17 (weights 3^(i-1) mod 31).

    One changed character is always found, as is the exchange of any two but the first and the last.
    """
    return bool(code[-1] == uscc.calc_check_digit(code[:-1]))


def check_credit_code(code: str) -> None:
    """Refuse a code that is malformed or whose check digit is wrong; admitted exceptions are the service's affair.

    Raises
    ------
    CreditCodeMalformed, CreditCodeCheckDigitWrong
    """
    if not check_digit_holds(normalised_credit_code(code)):
        raise CreditCodeCheckDigitWrong


def check_class(kind: OrganisationKind, code: str) -> None:
    """Refuse with `CreditCodeClassUnfit` when the code's first two characters say another kind of organisation."""
    wanted = _CLASSES_OF_KIND.get(kind)
    if wanted is not None and code[:2] not in wanted:
        raise CreditCodeClassUnfit(got=code[:2], wanted=", ".join(sorted(wanted)))


def _half_width(character: str) -> str:
    point = ord(character)
    return chr(point - _FULL_WIDTH_OFFSET) if point in _FULL_WIDTH else character
