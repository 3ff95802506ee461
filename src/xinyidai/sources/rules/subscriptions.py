"""Who is on the list for daily files, which days' files are wanted, and what is said of both. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from xinyidai.sources.rules.offices import SAID, AnswerFault
from xinyidai.sources.rules.offices.day_files import FILES, KEPT_DAYS

ITEMS: Final = tuple(FILES)
MAX_REFERENCE: Final = 64
MAX_TRIES: Final = 8
"""How often a day's files are asked for in one round; the next day's round begins anew."""
LEASE: Final = timedelta(minutes=3)
NOT_THERE_WAIT: Final = timedelta(hours=1)
LONGEST_WAIT: Final = timedelta(minutes=10)


class SubscriptionState(StrEnum):
    """The life of a firm's place on the list."""

    ASKED = "asked"
    LISTED = "listed"
    REFUSED = "refused"
    ENDED = "ended"


OPEN_STATES: Final = (SubscriptionState.ASKED, SubscriptionState.LISTED)


class SubscriptionEnd(StrEnum):
    """Why a firm is on the list no more."""

    CONSENT_OVER = "consent_over"
    TAKEN_BACK = "taken_back"
    REPLACED = "replaced"
    OFFICE_REFUSED = "office_refused"


class DayFileState(StrEnum):
    """What became of one file of one day."""

    WAITING = "waiting"
    LOADED = "loaded"
    REFUSED = "refused"
    LOST = "lost"


WANTED: Final = (DayFileState.WAITING, DayFileState.REFUSED)
"""A refused file is asked for again each day: an office repairs its files."""


class Trouble(StrEnum):
    """Why a file could not be had, though nothing is wrong with it."""

    NOT_THERE = "not_there"
    BUSY = "busy"
    SILENT = "silent"
    DENIED = "denied"
    FAULTY = "faulty"


_OF_STATE: Final[Mapping[SubscriptionState, tuple[str, str]]] = {
    SubscriptionState.ASKED: ("已登记，将随下一份名单报送", "Noted; it goes out with the next list"),
    SubscriptionState.LISTED: (
        "已在名单上，自所示日期起每日接收数据",
        "On the list; data come daily from the day shown on",
    ),
    SubscriptionState.REFUSED: (
        "对方不认可该授权号，请重新取得授权号后再登记",
        "The office does not know the authorisation number; get a new one there and subscribe again",
    ),
    SubscriptionState.ENDED: ("已从名单移除，不再接收数据", "Off the list; no data come any more"),
}
_OF_END: Final[Mapping[SubscriptionEnd, tuple[str, str]]] = {
    SubscriptionEnd.CONSENT_OVER: (
        "对平台的授权已结束，已从名单移除",
        "The consent to the platform ended; off the list",
    ),
    SubscriptionEnd.TAKEN_BACK: ("企业已停止订阅，已从名单移除", "The firm ended it; off the list"),
    SubscriptionEnd.REPLACED: ("已由新的授权号替代", "Replaced by a newer authorisation number"),
    SubscriptionEnd.OFFICE_REFUSED: _OF_STATE[SubscriptionState.REFUSED],
}
_OF_FILE: Final[Mapping[DayFileState, tuple[str, str]]] = {
    DayFileState.WAITING: ("等待获取", "Waiting to be fetched"),
    DayFileState.LOADED: (
        "已入库；名单外的行已计数并丢弃，未读取",
        "Loaded; rows off the list were thrown away unread",
    ),
    DayFileState.REFUSED: ("已拒绝，每日重新获取", "Refused; asked for again daily"),
    DayFileState.LOST: (
        "未能在保存期内取得；名单上的企业将重新登记，以补全历史数据",
        "Not had while the office kept it; the firms on the list are listed anew, which brings their whole history",
    ),
}
_OF_TROUBLE: Final[Mapping[Trouble, tuple[str, str]]] = {
    Trouble.NOT_THERE: ("对方尚未提供当日文件，稍后再取", "The office has not made the day's files yet; asked again"),
    Trouble.BUSY: ("对方要求稍候，稍后再取", "The office asks for patience; asked again"),
    Trouble.SILENT: ("对方未应答，稍后再取", "The office did not answer; asked again"),
    Trouble.DENIED: (
        "对方拒绝平台的身份，请检查接入配置",
        "The office does not let the platform in; check the settings",
    ),
    Trouble.FAULTY: ("对方应答异常，稍后再取", "The office answered with an error; asked again"),
}


@dataclass(frozen=True)
class SubscriptionView:
    """A firm's place on the list, as the firm sees it; `listed_from` is the day of the first file it is in.

    `rests_on` is the day whose list leaves it out for once, so that the file after it brings the whole history anew.
    """

    id: UUID
    firm_id: UUID
    state: SubscriptionState
    reason: SubscriptionEnd | None
    asked_at: datetime
    listed_from: date | None
    rests_on: date | None
    ended_at: datetime | None

    @property
    def is_open(self) -> bool:
        """Say whether it is on the list, or will be."""
        return self.state in OPEN_STATES

    def sentence(self, language: str) -> str:
        """Return how it stands in one sentence, in ``"zh"`` or ``"en"``."""
        said = _OF_END[self.reason] if self.reason is not None else _OF_STATE[self.state]
        return said[0 if language == "zh" else 1]


@dataclass(frozen=True)
class SentListView:
    """One day's list as the operator sees it; `reason` is a word of `Trouble`, counts are None until it was sent."""

    day: date
    tries: int
    reason: str | None
    named: int | None
    refused: int | None
    sent_at: datetime | None

    def sentence(self, language: str) -> str:
        """Return how it stands in one sentence, in ``"zh"`` or ``"en"``."""
        place = 0 if language == "zh" else 1
        if self.sent_at is not None:
            return ("名单已报送", "The list was sent")[place]
        waiting = ("名单尚未报送", "The list is not sent yet")[place]
        if self.reason is None:
            return waiting
        return f"{waiting}{'；' if place == 0 else '. '}{_OF_TROUBLE[Trouble(self.reason)][place]}"


@dataclass(frozen=True)
class DayFileView:
    """One file of one day as the operator sees it.

    `discarded` rows were of firms that are not on the list, `outdated` ones told what a later day's file, which came
    first, tells better. `reason` is a word of `AnswerFault` or `Trouble`; counts are None until the file was read.
    """

    day: date
    item_code: str
    state: DayFileState
    reason: str | None
    tries: int
    received: int | None
    discarded: int | None
    outdated: int | None
    loaded: int | None
    delivery_id: UUID | None
    settled_at: datetime | None

    def sentence(self, language: str) -> str:
        """Return how it stands in one sentence, in ``"zh"`` or ``"en"``."""
        place = 0 if language == "zh" else 1
        said = _OF_FILE[self.state][place]
        if self.state is DayFileState.LOADED or self.reason is None:
            return said
        why = SAID[AnswerFault(self.reason)] if self.reason in set(AnswerFault) else _OF_TROUBLE[Trouble(self.reason)]
        return f"{said}{'；' if place == 0 else '. '}{why[place]}"


@dataclass(frozen=True)
class Listed:
    """A firm that goes on the list; its reference never shows in a repr."""

    subscription_id: UUID
    firm_id: UUID
    credit_code: str
    reference: str

    def __repr__(self) -> str:
        """Leave the reference out."""
        return f"Listed({self.subscription_id})"


def days_wanted(*, first_day: date, known_until: date | None, today: date) -> list[date]:
    """Return the days whose files become wanted today: those after the last known one, as far back as they are kept.

    Parameters
    ----------
    first_day : date
        Of the earliest file that any firm on the list is in.
    known_until : date or None
        The last day that was wanted before.
    """
    begins = max(first_day, today - timedelta(days=KEPT_DAYS - 1))
    if known_until is not None:
        begins = max(begins, known_until + timedelta(days=1))
    return [begins + timedelta(days=on) for on in range((today - begins).days + 1)]


def is_lost(day: date, *, today: date) -> bool:
    """Say whether the office keeps a day's files no more."""
    return (today - day).days >= KEPT_DAYS


def wait_before(tries: int, trouble: Trouble, asked: timedelta | None) -> timedelta:
    """Return how long to wait before the next try: what the office asked for, or doubling, or an hour for its files."""
    if trouble is Trouble.NOT_THERE:
        return NOT_THERE_WAIT
    own = timedelta(seconds=2**tries)
    return min(max(own, asked or own), LONGEST_WAIT)
