"""The ledger's tables, for migrations and for reading; only the functions in migrations/sql/ledger write them."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    SmallInteger,
    String,
    UniqueConstraint,
    text,
)
from sqlmodel import Field, SQLModel

from xinyidai.foundation.database import type_of_fen, type_of_json, type_of_moment
from xinyidai.foundation.sealing import Stream, Xid8, register_stream

JOURNALS = register_stream(Stream("ledger.journal", "ledger.sealable_journal"))
ENTRIES = register_stream(Stream("ledger.entry", "ledger.sealable_entry"))


class KnownBook(SQLModel, table=True):
    """The books there are, as rows: a foreign key is checked when an account is opened, a CHECK at every posting."""

    __tablename__ = "book"
    __table_args__ = {"schema": "ledger"}

    code: str = Field(primary_key=True)


class Account(SQLModel, table=True):
    """A balance that only moves by entries; its check holds against a hand-written UPDATE too."""

    __tablename__ = "account"
    __table_args__ = (
        UniqueConstraint("tenant", "code"),
        CheckConstraint(
            "balance_fen BETWEEN greatest(floor_fen, -1000000000000000) AND least(ceiling_fen, 1000000000000000)",
            name="balance_within_limits",
        ),
        Index("ix_account_owner_id", "owner_id"),
        # Half-empty pages keep the update of a hot balance on its page (HOT), without touching an index.
        {"schema": "ledger", "postgresql_with": {"fillfactor": 50}},
    )

    id: int = Field(sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    tenant: str
    book: str = Field(foreign_key="ledger.book.code")
    code: str = Field(sa_type=String(collation="C"))
    owner_id: UUID | None
    floor_fen: int | None = Field(sa_type=type_of_fen)
    ceiling_fen: int | None = Field(sa_type=type_of_fen)
    balance_fen: int = Field(sa_type=type_of_fen)
    version: int = Field(sa_type=BigInteger)
    is_closed: bool


class Journal(SQLModel, table=True):
    """The head of one balanced movement."""

    __tablename__ = "journal"
    __table_args__ = (
        UniqueConstraint("tenant", "idem_key"),
        UniqueConstraint("reversal_of"),
        CheckConstraint("length(idem_key) BETWEEN 1 AND 200", name="key_bounded"),
        CheckConstraint("length(req_hash) = 32", name="hash_whole"),
        CheckConstraint("kind ~ '^[a-z][a-z0-9_.]{0,79}$'", name="kind_plain"),
        CheckConstraint("effective_on BETWEEN '2000-01-01' AND '2099-12-31'", name="day_within_range"),
        CheckConstraint("checker_id <> maker_id", name="two_people"),
        CheckConstraint(
            "jsonb_typeof(subject) = 'object' AND octet_length(subject::text) <= 4096", name="subject_small"
        ),
        Index("ix_journal_xid", "xid"),
        {"schema": "ledger"},
    )

    id: int = Field(sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    tenant: str
    idem_key: str
    req_hash: bytes = Field(sa_type=LargeBinary)
    kind: str
    effective_on: date
    recorded_at: datetime = Field(sa_type=type_of_moment)
    maker_id: UUID
    checker_id: UUID | None
    subject: dict[str, str] = Field(sa_type=type_of_json)
    reversal_of: int | None = Field(sa_column=Column(BigInteger, ForeignKey("ledger.journal.id")))
    xid: str = Field(sa_type=Xid8, sa_column_kwargs={"server_default": text("pg_current_xact_id()")})


class Entry(SQLModel, table=True):
    """One leg; (account, version) is unique, so a lost update cannot be stored.

    No foreign keys: the statement trigger `check_entries` ties each row to its journal, account and book, always.
    """

    __tablename__ = "entry"
    __table_args__ = (
        UniqueConstraint("account_id", "account_version"),
        CheckConstraint(
            "amount_fen <> 0 AND amount_fen BETWEEN -1000000000000000 AND 1000000000000000",
            name="amount_within_range",
        ),
        {"schema": "ledger"},
    )

    journal_id: int = Field(sa_type=BigInteger, primary_key=True)
    leg: int = Field(primary_key=True, sa_type=SmallInteger)
    account_id: int = Field(sa_type=BigInteger)
    book: str
    amount_fen: int = Field(sa_type=type_of_fen)
    balance_after_fen: int = Field(sa_type=type_of_fen)
    account_version: int = Field(sa_type=BigInteger)


class ClosedPeriod(SQLModel, table=True):
    """A closed month; it and all before it take no more journals."""

    __tablename__ = "closed_period"
    __table_args__ = (
        CheckConstraint("extract(day FROM month) = 1", name="month_begins"),
        CheckConstraint("checker_id <> maker_id", name="two_people"),
        {"schema": "ledger"},
    )

    tenant: str = Field(primary_key=True)
    month: date = Field(primary_key=True)
    maker_id: UUID
    checker_id: UUID
    closed_at: datetime = Field(sa_type=type_of_moment)
