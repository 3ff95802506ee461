"""The books on the wire."""

from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

from xinyidai.foundation.paging import Page
from xinyidai.ledger.rules import AccountView, Book, BookTotal, EntryView

_TOTAL: JsonDict = {
    "book": "cash",
    "accounts": 12,
    "positive_fen": 500_000_000,
    "negative_fen": -500_000_000,
    "imbalance_fen": 0,
}
_ACCOUNT: JsonDict = {
    "id": 7,
    "book": "cash",
    "code": "cash:fund:01976f2c-8a1e-7c55-9a53-0c7d0a5f2b11",
    "owner_id": "01976f2c-8a1e-7c55-9a53-0c7d0a5f2b11",
    "floor_fen": 0,
    "ceiling_fen": None,
    "balance_fen": 500_000_000,
    "version": 3,
    "is_closed": False,
}
_ENTRY: JsonDict = {
    "journal_id": 12,
    "leg": 1,
    "kind": "claim_paid",
    "effective_on": "2025-06-16",
    "recorded_at": "2025-06-16T04:00:00Z",
    "subject": {"claim_id": "01976f2c-8a1e-7c55-9a53-0c7d0a5f2b12"},
    "reversal_of": None,
    "amount_fen": -1_000_000,
    "balance_after_fen": 500_000_000,
    "account_version": 3,
}


class BookTotalOut(BaseModel):
    """One book: how many accounts, what they hold above and below zero; the imbalance is zero."""

    model_config = ConfigDict(json_schema_extra={"example": _TOTAL})

    book: Book
    accounts: int
    positive_fen: int
    negative_fen: int
    imbalance_fen: int

    @classmethod
    def of(cls, total: BookTotal) -> "BookTotalOut":
        """Build from a line of the trial balance."""
        return cls(
            book=total.book,
            accounts=total.accounts,
            positive_fen=total.positive_fen,
            negative_fen=total.negative_fen,
            imbalance_fen=total.imbalance_fen,
        )


class TrialBalanceOut(BaseModel):
    """The trial balance (试算平衡表)."""

    model_config = ConfigDict(json_schema_extra={"example": {"books": [_TOTAL]}})

    books: list[BookTotalOut]


class AccountOut(BaseModel):
    """An account as it stands; `version` counts its entries."""

    model_config = ConfigDict(json_schema_extra={"example": _ACCOUNT})

    id: int
    book: Book
    code: str
    owner_id: UUID | None
    floor_fen: int | None
    ceiling_fen: int | None
    balance_fen: int
    version: int
    is_closed: bool

    @classmethod
    def of(cls, account: AccountView) -> "AccountOut":
        """Build from an account."""
        return cls(
            id=account.id,
            book=account.book,
            code=account.code,
            owner_id=account.owner_id,
            floor_fen=account.floor_fen,
            ceiling_fen=account.ceiling_fen,
            balance_fen=account.balance_fen,
            version=account.version,
            is_closed=account.is_closed,
        )


class AccountPageOut(BaseModel):
    """A page of accounts and the cursor of the next."""

    model_config = ConfigDict(json_schema_extra={"example": {"accounts": [_ACCOUNT], "next_cursor": None}})

    accounts: list[AccountOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[AccountView]) -> "AccountPageOut":
        """Build from a page."""
        return cls(accounts=[AccountOut.of(account) for account in page.rows], next_cursor=page.next_cursor)


class EntryOut(BaseModel):
    """One leg as posted, with its journal's head; positive raised the account."""

    model_config = ConfigDict(json_schema_extra={"example": _ENTRY})

    journal_id: int
    leg: int
    kind: str
    effective_on: date
    recorded_at: datetime
    subject: dict[str, str]
    reversal_of: int | None
    amount_fen: int
    balance_after_fen: int
    account_version: int

    @classmethod
    def of(cls, entry: EntryView) -> "EntryOut":
        """Build from an entry."""
        return cls(
            journal_id=entry.journal_id,
            leg=entry.leg,
            kind=entry.kind,
            effective_on=entry.effective_on,
            recorded_at=entry.recorded_at,
            subject=dict(entry.subject),
            reversal_of=entry.reversal_of,
            amount_fen=entry.amount_fen,
            balance_after_fen=entry.balance_after_fen,
            account_version=entry.account_version,
        )


class EntryPageOut(BaseModel):
    """A page of entries, oldest first, and the cursor of the next."""

    model_config = ConfigDict(json_schema_extra={"example": {"entries": [_ENTRY], "next_cursor": None}})

    entries: list[EntryOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[EntryView]) -> "EntryPageOut":
        """Build from a page."""
        return cls(entries=[EntryOut.of(entry) for entry in page.rows], next_cursor=page.next_cursor)
