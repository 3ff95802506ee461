"""Derived values (衍生值): what a provider computed in its own domain and says under its signature. Pure.

The records stay with the provider (可用不可见); what comes out is an indicator as of a day, with its unit, the days it
covers, the version of the method, and the consent it stands on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from uuid import UUID

from xinyidai.foundation.canonical import Json
from xinyidai.foundation.errors import Refusal, ValueRefused
from xinyidai.sources.rules.derivable import DERIVABLE, Derivable

HEADLINE: Final = "xinyidai.derived-values.v1"
MOST_VALUES: Final = 100
MOST_DELAY: Final = timedelta(days=7)
"""A statement comes within a week of being made: an old one that was held back says nothing new."""
MOST_CLOCK_DRIFT: Final = timedelta(minutes=5)
MOST_COVERED_DAYS: Final = 3 * 366
LARGEST: Final = 10**15


class ItemNotInDomain(Refusal):
    """In this province the item is not computed at its owner: its records are held here, or it passes by."""

    code = "item_not_in_domain"
    status = 422
    title_zh = "本省该信息项不采用域内计算：{item}（{topology}）"
    title_en = "In this province the item {item} is not computed in its owner's domain ({topology})"


class IndicatorNotDerivable(Refusal):
    """Nobody here knows the indicator, or it is of another item or in another unit."""

    code = "indicator_not_derivable"
    status = 422
    title_zh = "不接受该衍生指标：{indicator}（信息项、单位须与指标目录一致）"
    title_en = "The indicator {indicator} is not taken: item and unit must be those of the catalogue of indicators"


class StatementOfAnother(Refusal):
    """The statement says that another provider made it."""

    code = "statement_of_another"
    status = 422
    title_zh = "该声明不是本机构作出的"
    title_en = "The statement names another provider"


class StatementReplayed(Refusal):
    """A statement of this id was taken in before."""

    code = "statement_replayed"
    title_zh = "该声明已经收到过"
    title_en = "The statement was taken in before"


class StatementOutdated(Refusal):
    """A later statement about the same was taken in before this one."""

    code = "statement_outdated"
    title_zh = "已收到更晚作出的声明"
    title_en = "A later statement about the same was taken in already"


class StatementTimeUnfit(Refusal):
    """It was made in the future, too long ago, or speaks of days that were not over when it was made."""

    code = "statement_time_unfit"
    status = 422
    title_zh = "声明的时间不被接受：{why}"
    title_en = "The statement's time is not acceptable: {why}"


class StatementFirmUnknown(Refusal):
    """No firm here bears the credit code."""

    code = "statement_firm_unknown"
    status = 422
    title_zh = "平台没有该统一社会信用代码的主体"
    title_en = "No firm here has this credit code"


class StatementConsentUnfit(Refusal):
    """The consent that it names is not of this firm, not for this item, or no longer in force."""

    code = "statement_consent_unfit"
    status = 422
    title_zh = "声明引用的授权不属于该主体，或未覆盖该信息项，或已失效"
    title_en = "The consent it names is not this firm's, does not cover the item, or is not in force"


class ValueOfAnotherProvider(Refusal):
    """Another provider's value of the same indicator and day stands; only its own provider may replace it."""

    code = "value_of_another_provider"
    title_zh = "该指标已有其他机构的声明"
    title_en = "Another provider's value of the same indicator and day stands"


@dataclass(frozen=True)
class StatedValue:
    """One indicator as of the beginning of a Shanghai day, from the days `covers_from` to `covers_to`, both with.

    `value` is an integer of `unit`, ratios in ppm; None is the provider's own "no data".
    """

    indicator: str
    unit: str
    value: int | None
    as_of_on: date
    covers_from: date
    covers_to: date
    method_version: str


@dataclass(frozen=True)
class Statement:
    """What a provider says about one firm and one item."""

    statement_id: UUID
    provider_id: UUID
    credit_code: str
    item_code: str
    consent_id: UUID
    made_at: datetime
    values: tuple[StatedValue, ...]


@dataclass(frozen=True)
class DerivedValue:
    """A stated value as the platform knows it: whose, by which provider, in which statement, and since when."""

    firm_id: UUID
    item_code: str
    provider_id: UUID
    statement_id: UUID
    consent_id: UUID
    stated: StatedValue
    recorded_at: datetime


@dataclass(frozen=True)
class StatementReport:
    """What became of a statement."""

    id: UUID
    statement_id: UUID
    firm_id: UUID
    item_code: str
    values: int
    received_at: datetime


@dataclass(frozen=True)
class SignedStatement:
    """The end of a derived value's lineage: the words as they were signed, with key and signature."""

    id: UUID
    provider_id: UUID
    firm_id: UUID
    item_code: str
    consent_id: UUID
    words: str
    signature: bytes
    key_id: UUID
    public_key: bytes
    received_at: datetime
    is_genuine: bool


def read_statement(told: Mapping[str, Json]) -> Statement:
    """Read a statement's fields, which the door has checked for their form; days that are none are refused here.

    Raises
    ------
    ValueRefused, IndicatorNotDerivable, StatementTimeUnfit
        No day or moment; nothing or too much told; not in the catalogue; days that were not over.
    """
    rows = told["values"]
    assert isinstance(rows, Sequence)
    if not 1 <= len(rows) <= MOST_VALUES:
        raise ValueRefused(field="values", why=f"1 to {MOST_VALUES}")
    item_code, made_at = str(told["item"]), moment_of("made_at", told["made_at"])
    values = tuple(_value(row, item_code) for row in rows if isinstance(row, Mapping))
    if len({(one.indicator, one.as_of_on) for one in values}) < len(values):
        raise ValueRefused(field="values", why="one indicator twice as of one day")
    return Statement(
        statement_id=_id("statement_id", told["statement_id"]),
        provider_id=_id("provider_id", told["provider_id"]),
        credit_code=str(told["credit_code"]),
        item_code=item_code,
        consent_id=_id("consent_id", told["consent_id"]),
        made_at=made_at,
        values=values,
    )


def requires_timely(statement: Statement, *, now: datetime, today: date) -> None:
    """Refuse with `StatementTimeUnfit` what was made too long ago or in the future, or covers days to come."""
    if statement.made_at > now + MOST_CLOCK_DRIFT:
        raise StatementTimeUnfit(why="made_in_future")
    if statement.made_at < now - MOST_DELAY:
        raise StatementTimeUnfit(why="made_too_long_ago")
    if any(one.as_of_on > today for one in statement.values):
        raise StatementTimeUnfit(why="as_of_in_future")


def _value(row: Mapping[str, Json], item_code: str) -> StatedValue:
    found = StatedValue(
        indicator=str(row["indicator"]),
        unit=str(row["unit"]),
        value=_whole(row["value"]),
        as_of_on=day_of("as_of", row["as_of"]),
        covers_from=day_of("covers_from", row["covers_from"]),
        covers_to=day_of("covers_to", row["covers_to"]),
        method_version=str(row["method_version"]),
    )
    if DERIVABLE.get(found.indicator) != Derivable(item_code, found.unit):
        raise IndicatorNotDerivable(indicator=found.indicator)
    covered = found.covers_to - found.covers_from
    if not timedelta(0) <= covered <= timedelta(days=MOST_COVERED_DAYS) or found.covers_to >= found.as_of_on:
        raise StatementTimeUnfit(why="covered_days")
    return found


def _whole(value: Json) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST):
        return value
    raise ValueRefused(field="value", why="no whole number of its unit")


def _id(field: str, text: Json) -> UUID:
    try:
        return UUID(str(text))
    except ValueError as error:
        raise ValueRefused(field=field, why="no id") from error


def day_of(field: str, text: Json) -> date:
    """Read a day; refuse with `ValueRefused` what is none."""
    try:
        return date.fromisoformat(str(text))
    except ValueError as error:
        raise ValueRefused(field=field, why="no day") from error


def moment_of(field: str, text: Json) -> datetime:
    """Read a moment with its zone; refuse with `ValueRefused` what is none."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise ValueRefused(field=field, why="no moment") from error
    if found.tzinfo is None:
        raise ValueRefused(field=field, why="without a time zone")
    return found
