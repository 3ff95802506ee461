"""How numbers, days and codes look on a page. Pure; every division names its rounding."""

from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from xinyidai.foundation.clock import SHANGHAI
from xinyidai.foundation.pages.words import Language

FEN_PER_YUAN = 100
FEN_PER_WAN = 1_000_000
MAX_CAPITAL_FEN = 10**18
_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_PLACES = ("", "拾", "佰", "仟")
_GROUPS = ("", "万", "亿", "兆")
_HALF_WIDTH = str.maketrans("０１２３４５６７８９．，", "0123456789.,")


def yuan(fen: int) -> str:
    """Return fen as yuan, exact: ``¥1,234,567.89``."""
    sign = "−" if fen < 0 else ""
    whole, rest = divmod(abs(fen), FEN_PER_YUAN)
    return f"{sign}¥{whole:,}.{rest:02d}"


def in_yuan(fen: int) -> str:
    """Return fen as yuan for a column whose head carries the unit: ``1,234,567.89``."""
    return yuan(fen).replace("¥", "")


def wan(fen: int) -> str:
    """Return fen as 万元 with two decimals, half up, without the unit: that stands in the column's head."""
    hundredths = Decimal(fen) / (FEN_PER_WAN // 100)
    return f"{hundredths.quantize(Decimal(1), ROUND_HALF_UP) / 100:,.2f}"


def percent(bp: int, places: int = 2) -> str:
    """Return basis points as percent: ``3.65%``."""
    return f"{(Decimal(bp) / 100).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)}%"


def percent_of_ppm(ppm: int, places: int = 2) -> str:
    """Return parts per million as percent: ``0.37%``."""
    return f"{(Decimal(ppm) / 10_000).quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)}%"


def grouped(number: int) -> str:
    """Return a whole number with separators."""
    return f"{number:,}"


def day_in_text(moment: date | datetime, language: Language) -> str:
    """Return a Shanghai day for running text: ``2026年11月22日`` or ``22 November 2026``."""
    day = _day(moment)
    if language is Language.ZH:
        return f"{day.year}年{day.month}月{day.day}日"
    return f"{day.day} {day:%B} {day.year}"


def day_in_table(moment: date | datetime) -> str:
    """Return a Shanghai day for a table: ``2026-11-22``."""
    return _day(moment).isoformat()


def minute(moment: datetime) -> str:
    """Return a moment in Shanghai to the minute: ``2026-11-22 14:05``."""
    return moment.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M")


def masked_code(code: str | None) -> str:
    """Return a credit code with its middle hidden: ``915001********0013``."""
    if not code:
        return "—"
    return code[:6] + "*" * max(0, len(code) - 10) + code[-4:] if len(code) > 10 else "*" * len(code)


def capital_amount(fen: int) -> str:
    """Return an amount as contracts write it: 50,000,000 fen is ``伍拾万元整``.

    After the central bank's rules for filling in bills (票据法 appendix, 正确填写票据和结算凭证的基本规定): runs of
    zeros are one 零, 整 follows yuan or jiao, never fen.

    Raises
    ------
    ValueError
        Below zero, or ten quadrillion yuan and more.
    """
    if not 0 <= fen < MAX_CAPITAL_FEN:
        raise ValueError("an amount in capitals lies from 0 to ten quadrillion yuan")
    whole, rest = divmod(fen, FEN_PER_YUAN)
    jiao, odd = divmod(rest, 10)
    written = f"{_integer_in_capitals(whole)}元" if whole else ""
    if not rest:
        return f"{written or '零元'}整"
    if jiao:
        written += f"{'零' if whole and whole % 10 == 0 else ''}{_DIGITS[jiao]}角"
    elif whole:
        written += "零"
    return f"{written}{_DIGITS[odd]}分" if odd else f"{written}整"


def _integer_in_capitals(number: int) -> str:
    groups = []
    while number:
        number, low = divmod(number, 10_000)
        groups.append(low)
    written, owes_zero = "", False
    for place in range(len(groups) - 1, -1, -1):
        group = groups[place]
        if not group:
            owes_zero = bool(written)
            continue
        if written and (owes_zero or group < 1000):
            written += "零"
        written += _group_in_capitals(group) + _GROUPS[place]
        owes_zero = False
    return written


def _group_in_capitals(group: int) -> str:
    written, owes_zero = "", False
    for place in range(3, -1, -1):
        digit = group // 10**place % 10
        if not digit:
            owes_zero = bool(written)
            continue
        written += ("零" if owes_zero else "") + _DIGITS[digit] + _PLACES[place]
        owes_zero = False
    return written


def fen_of(typed: str, unit: str) -> int | None:
    """Return a typed amount in fen, ``unit`` being ``"wan"`` or ``"yuan"``; None where it is no amount or not exact."""
    cleaned = typed.strip().translate(_HALF_WIDTH).lstrip("¥￥").replace(",", "")
    if not cleaned or len(cleaned) > 20 or any(sign not in "0123456789." for sign in cleaned):
        return None
    try:
        fen = Decimal(cleaned) * (FEN_PER_WAN if unit == "wan" else FEN_PER_YUAN)
    except InvalidOperation:
        return None
    return int(fen) if fen == fen.to_integral_value() else None


def _day(moment: date | datetime) -> date:
    return moment.astimezone(SHANGHAI).date() if isinstance(moment, datetime) else moment
