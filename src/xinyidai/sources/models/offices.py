"""Tables of what is fetched by list and by job: subscriptions, daily files, queries to the courts."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, text
from sqlmodel import Field, SQLModel

from xinyidai.foundation.clock import wall_now
from xinyidai.foundation.database import one_of, type_of_moment
from xinyidai.foundation.ids import new_id
from xinyidai.sources.rules.subscriptions import DayFileState, SubscriptionState


class Subscription(SQLModel, table=True):
    """A firm's place on the list for daily files; its reference is encrypted and gone when it has ended.

    `is_on_list` says what the office was told last, `rests_on` the day whose list leaves the firm out so that the
    office begins anew with it.
    """

    __tablename__ = "subscription"
    __table_args__ = (
        one_of("state", SubscriptionState),
        CheckConstraint("(state IN ('asked', 'listed')) = (sealed_reference IS NOT NULL)", name="reference_while_open"),
        CheckConstraint("(state IN ('asked', 'listed')) = (ended_at IS NULL)", name="ended_once"),
        Index(
            "uq_subscription_open_firm_id",
            "firm_id",
            unique=True,
            postgresql_where=text("state IN ('asked', 'listed')"),
        ),
        Index("ix_subscription_firm_id_id", "firm_id", "id"),
        Index(
            "ix_subscription_told",
            "id",
            postgresql_where=text("is_on_list OR state IN ('asked', 'listed')"),
        ),
        {"schema": "sources"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    firm_id: UUID
    state: str = SubscriptionState.ASKED.value
    reason: str | None = None
    reference_digest: bytes = Field(sa_type=LargeBinary)
    sealed_reference: bytes | None = Field(default=None, sa_type=LargeBinary)
    asked_by: UUID
    asked_at: datetime = Field(sa_type=type_of_moment)
    is_on_list: bool = False
    listed_from: date | None = None
    rests_on: date | None = None
    ended_at: datetime | None = Field(default=None, sa_type=type_of_moment)


class SentList(SQLModel, table=True):
    """One day's list as the office took it: only counts and a digest; `reason` says why it is not sent yet."""

    __tablename__ = "sent_list"
    __table_args__ = (
        CheckConstraint("(sent_at IS NULL) = (digest IS NULL)", name="sent_whole"),
        {"schema": "sources"},
    )

    day: date = Field(primary_key=True)
    tries: int = 0
    reason: str | None = None
    named: int | None = None
    refused: int | None = None
    digest: bytes | None = Field(default=None, sa_type=LargeBinary)
    sent_at: datetime | None = Field(default=None, sa_type=type_of_moment)


class CourtQuery(SQLModel, table=True):
    """A query that the courts took: the number they call back with, and whether they did."""

    __tablename__ = "court_query"
    __table_args__ = (Index("ix_court_query_pull_id", "pull_id"), {"schema": "sources"})

    job_id: str = Field(primary_key=True)
    firm_id: UUID
    pull_id: UUID = Field(foreign_key="sources.pull.id")
    asked_at: datetime = Field(sa_type=type_of_moment)
    called_at: datetime | None = Field(default=None, sa_type=type_of_moment)


class DayFile(SQLModel, table=True):
    """One item's file of one day: nobody's in particular, it only counts. Leases and tries go by wall time."""

    __tablename__ = "day_file"
    __table_args__ = (
        one_of("state", DayFileState),
        CheckConstraint("(state = 'loaded') = (digest IS NOT NULL)", name="loaded_is_known"),
        CheckConstraint("discarded + outdated <= received", name="rows_reconcile"),
        Index("ix_day_file_wanted", "day", postgresql_where=text("state IN ('waiting', 'refused')")),
        {"schema": "sources"},
    )

    day: date = Field(primary_key=True)
    item_code: str = Field(primary_key=True)
    state: str = DayFileState.WAITING.value
    reason: str | None = None
    tries: int = 0
    leased_until: datetime | None = Field(default=None, sa_type=type_of_moment)
    touched_at: datetime = Field(default_factory=wall_now, sa_type=type_of_moment)
    digest: bytes | None = Field(default=None, sa_type=LargeBinary)
    received: int | None = None
    discarded: int | None = None
    outdated: int | None = None
    loaded: int | None = None
    delivery_id: UUID | None = Field(default=None, foreign_key="sources.delivery.id")
    settled_at: datetime | None = Field(default=None, sa_type=type_of_moment)
