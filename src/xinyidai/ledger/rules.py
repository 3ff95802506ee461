"""What a posting is and why one is refused: pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from xinyidai.foundation.canonical import canonical_bytes
from xinyidai.foundation.errors import Refusal
from xinyidai.foundation.money import MAX_FEN

TENANT = "main"
"""A tenant is one operating platform; there is one until a second city shares the database."""

MAX_KEY_LENGTH = 200
MAX_LEGS = 1_000
MAX_SUBJECT_BYTES = 4_096
FIRST_DAY = date(2000, 1, 1)
LAST_DAY = date(2099, 12, 31)

MAX_ID = 2**63 - 1

_CODE = re.compile(r"[a-z][a-z0-9_.:-]{0,199}")
_KIND = re.compile(r"[a-z][a-z0-9_.]{0,79}")


class Book(StrEnum):
    """A set of accounts that sums to zero on its own."""

    CASH = "cash"
    EXPOSURE = "exposure"
    RECOVERABLE = "recoverable"
    LENDING = "lending"
    MEMO = "memo"


class PostingRefused(Refusal):
    """The posting is malformed: its key, kind, day, subject or people, a zero leg, one account twice."""

    code = "posting_refused"
    status = 422
    title_zh = "记账请求格式不正确：{why}"
    title_en = "The posting is malformed: {why}"


class UnbalancedJournal(Refusal):
    """Fewer than two legs, or legs that do not sum to zero in each book."""

    code = "unbalanced_journal"
    status = 422
    title_zh = "分录在每本账内必须至少两条且合计为零"
    title_en = "A journal needs at least two legs and must sum to zero in each book"


class AmountOutOfRange(Refusal):
    """An amount, or a balance after it, that is no whole number of fen within 10^15."""

    code = "amount_out_of_range"
    status = 422
    title_zh = "金额必须是绝对值不超过 {most_fen} 分的整数，余额亦同"
    title_en = "Amounts and balances are whole fen of at most {most_fen} either way"


class FloorReached(Refusal):
    """An account would fall below its floor: there is not that much in it."""

    code = "floor_reached"
    title_zh = "账户 {account_id} 余额不足"
    title_en = "Account {account_id} does not hold that much"


class CeilingReached(Refusal):
    """An account would rise above its ceiling."""

    code = "ceiling_reached"
    title_zh = "账户 {account_id} 将超过上限"
    title_en = "Account {account_id} would pass its ceiling"


class KeyReusedForAnotherJournal(Refusal):
    """The key names a journal with other content; nothing was changed."""

    code = "journal_key_reused"
    status = 422
    title_zh = "该记账键已用于内容不同的凭证"
    title_en = "This key was used for a journal with other content"


class AccountUnknown(Refusal):
    """No such account, or none that the viewer may know of."""

    code = "account_unknown"
    status = 404
    title_zh = "账户不存在"
    title_en = "There is no such account"


class AccountRefused(Refusal):
    """The account's code or limits are malformed."""

    code = "account_refused"
    status = 422
    title_zh = "账户编码或限额不正确：{why}"
    title_en = "The account's code or limits are refused: {why}"


class AccountClosed(Refusal):
    """The account takes no more legs."""

    code = "account_closed"
    title_zh = "账户 {account_id} 已销户"
    title_en = "Account {account_id} is closed"


class AccountNotEmpty(Refusal):
    """Only an account with a balance of zero can be closed."""

    code = "account_not_empty"
    title_zh = "账户 {account_id} 仍有余额，不能销户"
    title_en = "Account {account_id} still holds a balance"


class AccountCodeTaken(Refusal):
    """The code names an account of another book, owner or limits."""

    code = "account_code_taken"
    title_zh = "该账户编码已用于另一账户"
    title_en = "This code names an account of another book, owner or limits"


class PeriodClosed(Refusal):
    """The day lies in a closed accounting period."""

    code = "period_closed"
    title_zh = "该日期所在会计期间已关闭"
    title_en = "The accounting period of this day is closed"


class PeriodNotOver(Refusal):
    """A month can be closed when it is over."""

    code = "period_not_over"
    title_zh = "该月尚未结束，不能关闭会计期间"
    title_en = "The month is not over, so its period cannot be closed"


class JournalUnknown(Refusal):
    """No such journal."""

    code = "journal_unknown"
    status = 404
    title_zh = "凭证不存在"
    title_en = "There is no such journal"


class AlreadyReversed(Refusal):
    """A journal is reversed at most once."""

    code = "already_reversed"
    title_zh = "该凭证已被冲销"
    title_en = "The journal has been reversed before"


class ReversalIsFinal(Refusal):
    """A reversal is not reversed; post anew."""

    code = "reversal_is_final"
    title_zh = "冲销凭证不能再冲销，请重新记账"
    title_en = "A reversal cannot be reversed; post anew"


class LedgerBusy(Refusal):
    """Another transaction held an account for too long; nothing was changed, the same key may be tried again."""

    code = "ledger_busy"
    status = 503
    title_zh = "账本繁忙，未作任何更改，请稍后用同一键重试"
    title_en = "The ledger is busy and nothing was changed; try again with the same key"


@dataclass(frozen=True)
class Leg:
    """One account's part in a journal; positive raises the balance."""

    account_id: int
    amount_fen: int


@dataclass(frozen=True)
class Posting:
    """What to post.

    Parameters
    ----------
    key : str
        Names the journal for ever; a retry with the same key and content is answered with the journal that is there.
        The order of the legs and the moment of recording are no part of the content; the day is.
    kind : str
        Lower-case words, for example ``"claim_paid"``.
    effective_on : date
        The day in the books, in Shanghai; must lie in an open period.
    checker_id : UUID or None
        The second person, where four eyes are demanded; never the maker.
    subject : mapping
        Ids of what it is about, for example ``{"loan_id": ..., "stage": "claim"}``; never personal data.
    """

    key: str
    kind: str
    legs: tuple[Leg, ...]
    effective_on: date
    maker_id: UUID
    checker_id: UUID | None = None
    subject: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Posted:
    """The journal, and whether it was there already."""

    journal_id: int
    is_replayed: bool


@dataclass(frozen=True)
class AccountWanted:
    """An account to be opened unless it is there.

    Parameters
    ----------
    code : str
        Lower-case path, for example ``"cash:fund:<uuid>"``; the same for ever.
    owner_id : UUID or None
        The organisation that may see it; None for the platform alone.
    floor_fen, ceiling_fen : int or None
        Limits of the balance, which begins at zero and so must lie within.
    """

    book: Book
    code: str
    owner_id: UUID | None
    floor_fen: int | None = None
    ceiling_fen: int | None = None


@dataclass(frozen=True)
class AccountView:
    """An account as it stands."""

    id: int
    book: Book
    code: str
    owner_id: UUID | None
    floor_fen: int | None
    ceiling_fen: int | None
    balance_fen: int
    version: int
    is_closed: bool


@dataclass(frozen=True)
class EntryView:
    """One leg as posted, with its journal's head."""

    journal_id: int
    leg: int
    kind: str
    effective_on: date
    recorded_at: datetime
    subject: Mapping[str, str]
    reversal_of: int | None
    amount_fen: int
    balance_after_fen: int
    account_version: int


@dataclass(frozen=True)
class Turnover:
    """What came into a group of accounts and what left it, both at least zero."""

    raised_fen: int
    lowered_fen: int

    @property
    def net_fen(self) -> int:
        """The change of the group's balance."""
        return self.raised_fen - self.lowered_fen


@dataclass(frozen=True)
class BookTotal:
    """One line of the trial balance (试算平衡); `imbalance_fen` is zero or the books are wrong."""

    book: Book
    accounts: int
    positive_fen: int
    negative_fen: int

    @property
    def imbalance_fen(self) -> int:
        """Return what the book's balances sum to."""
        return self.positive_fen + self.negative_fen


class BookRule(StrEnum):
    """What must hold of the books at every commit."""

    JOURNAL_BALANCES = "I1"
    BOOK_BALANCES = "I2"
    ACCOUNT_FOLLOWS_ENTRIES = "I3"


@dataclass(frozen=True, order=True)
class BookFault:
    """Where the books break a rule: ``journal:12``, ``journal:12/leg:2``, ``account:7`` or ``book:cash``."""

    rule: BookRule
    ref: str
    says: str


def check_posting(posting: Posting) -> None:
    """Refuse what is malformed before the database is asked; it checks all of this again, and balance by book.

    Raises
    ------
    PostingRefused, UnbalancedJournal, AmountOutOfRange, AccountUnknown
        As their names say.
    """
    check_heading(posting.key, posting.effective_on, posting.maker_id, posting.checker_id)
    if not _KIND.fullmatch(posting.kind):
        raise PostingRefused(why="kind")
    if not all(word.isprintable() for item in posting.subject.items() for word in item):
        raise PostingRefused(why="subject")
    if len(canonical_bytes(dict(posting.subject))) > MAX_SUBJECT_BYTES:
        raise PostingRefused(why="subject too large")
    if len(posting.legs) > MAX_LEGS:
        raise PostingRefused(why="too many legs")
    if any(type(leg.amount_fen) is not int or abs(leg.amount_fen) > MAX_FEN for leg in posting.legs):
        raise AmountOutOfRange(most_fen=MAX_FEN)
    if not all(0 < leg.account_id <= MAX_ID for leg in posting.legs):
        raise AccountUnknown
    if any(leg.amount_fen == 0 for leg in posting.legs):
        raise PostingRefused(why="zero leg")
    if len({leg.account_id for leg in posting.legs}) < len(posting.legs):
        raise PostingRefused(why="account twice")
    if len(posting.legs) < 2 or sum(leg.amount_fen for leg in posting.legs) != 0:
        raise UnbalancedJournal


def check_heading(key: str, effective_on: date, maker_id: UUID, checker_id: UUID | None) -> None:
    """Refuse a key, a day or a pair of people that no journal may carry, with `PostingRefused`."""
    if not 1 <= len(key) <= MAX_KEY_LENGTH or not key.isprintable():
        raise PostingRefused(why="key")
    if not FIRST_DAY <= effective_on <= LAST_DAY:
        raise PostingRefused(why="effective_on")
    if checker_id == maker_id:
        raise PostingRefused(why="maker and checker are one")


def check_account(code: str, floor_fen: int | None, ceiling_fen: int | None) -> None:
    """Refuse a code or limits that no account may have.

    Raises
    ------
    AccountRefused
        The code is no lower-case path, or zero lies outside the limits.
    AmountOutOfRange
        A limit beyond 10^15 fen.
    """
    if not _CODE.fullmatch(code):
        raise AccountRefused(why="code")
    limits = [limit for limit in (floor_fen, ceiling_fen) if limit is not None]
    if any(type(limit) is not int or abs(limit) > MAX_FEN for limit in limits):
        raise AmountOutOfRange(most_fen=MAX_FEN)
    if (floor_fen or 0) > 0 or (ceiling_fen or 0) < 0:
        raise AccountRefused(why="an account begins at zero, which its limits must hold")


def is_code_prefix(prefix: str) -> bool:
    """Say whether some account's code could begin so."""
    return prefix == "" or _CODE.fullmatch(prefix) is not None
