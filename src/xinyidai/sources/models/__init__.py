"""Tables of the room: deliveries, facts, rows kept aside, what superseded what, and the seals of facts."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlmodel import Field, SQLModel

from xinyidai.foundation.clock import wall_now
from xinyidai.foundation.database import one_of, type_of_fen, type_of_json, type_of_moment
from xinyidai.foundation.ids import new_id
from xinyidai.foundation.sealing import Stream, Xid8, register_stream
from xinyidai.sources.models import derived, offices, records
from xinyidai.sources.rules import DeliveryKind, FileFormat
from xinyidai.sources.rules.breakers import BreakerState
from xinyidai.sources.rules.keeping import PurgeReason
from xinyidai.sources.rules.pull_parts import PartState
from xinyidai.sources.rules.pulls import PullSource, PullState

RECORD_SUPERSESSIONS = register_stream(Stream("sources.record_supersession", "sources.sealable_record_supersession"))
RECORD_TABLES = records.TABLES
OFFICE_TABLES = (offices.Subscription, offices.SentList, offices.DayFile, offices.CourtQuery)
STATEMENTS, DERIVED_VALUES, RECEIPTS = derived.STATEMENTS, derived.DERIVED_VALUES, derived.RECEIPTS
SEALS = register_stream(Stream("sources.fact_seal", "sources.sealable_fact_seal"))
SUPERSESSIONS = register_stream(Stream("sources.supersession", "sources.sealable_supersession"))
TOMBSTONES = register_stream(Stream("sources.tombstone", "sources.sealable_tombstone"))


class Delivery(SQLModel, table=True):
    """One file or call that was taken in whole; written last, when everything in it is counted."""

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("no"),
        Index("ix_delivery_sender_id_digest_kind", "sender_id", "digest", "kind"),
        one_of("kind", DeliveryKind),
        one_of("file_format", FileFormat),
        CheckConstraint("received = loaded + rejected_rows", name="rows_reconcile"),
        {"schema": "sources"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    no: int
    sender_id: UUID
    sent_by: UUID
    kind: str
    file_format: str
    item_code: str
    item_version: int
    digest: bytes = Field(sa_type=LargeBinary)
    byte_count: int = Field(sa_type=type_of_fen)
    received: int
    loaded: int
    rejected_rows: int
    rejected: dict[str, int] = Field(sa_type=type_of_json)
    flagged: dict[str, int] = Field(sa_type=type_of_json)
    firm_ids: list[UUID] = Field(sa_type=ARRAY(Uuid))
    received_at: datetime = Field(sa_type=type_of_moment)


class InvoiceFact(SQLModel, table=True):
    """One invoice as one line of one delivery said it; only `superseded_at` is ever added.

    No foreign key to the delivery, which would be checked a million times a load: the transaction writes both or
    neither, and verify names a fact whose delivery is not there.
    """

    __tablename__ = "invoice_fact"
    __table_args__ = (
        Index("ix_invoice_fact_firm_id_invoice_no", "firm_id", "invoice_no"),
        CheckConstraint("direction IN (0, 1)", name="direction_known"),
        CheckConstraint(
            "net_fen BETWEEN -1000000000000000 AND 1000000000000000"
            " AND tax_fen BETWEEN -1000000000000000 AND 1000000000000000"
            " AND gross_fen BETWEEN -1000000000000000 AND 1000000000000000",
            name="amounts_in_range",
        ),
        CheckConstraint("superseded_at >= recorded_at", name="superseded_later"),
        {"schema": "sources"},
    )

    firm_id: UUID = Field(primary_key=True)
    delivery_no: int = Field(primary_key=True)
    line_no: int = Field(primary_key=True)
    issued_on: date
    net_fen: int = Field(sa_type=type_of_fen)
    tax_fen: int = Field(sa_type=type_of_fen)
    gross_fen: int = Field(sa_type=type_of_fen)
    recorded_at: datetime = Field(sa_type=type_of_moment)
    superseded_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    direction: int = Field(sa_type=SmallInteger)
    flags: int = Field(sa_type=SmallInteger)
    is_void: bool
    invoice_no: str
    counterparty: str


class RejectedRow(SQLModel, table=True):
    """A row that was not taken in, kept for its sender to return and correct."""

    __tablename__ = "rejected_row"
    __table_args__ = (
        ForeignKeyConstraint(
            ["delivery_no"],
            ["sources.delivery.no"],
            name="fk_rejected_row_delivery_no_delivery",
            deferrable=True,
            initially="DEFERRED",
        ),
        {"schema": "sources"},
    )

    delivery_no: int = Field(primary_key=True)
    line_no: int = Field(primary_key=True)
    sender_id: UUID
    faults: list[str] = Field(sa_type=ARRAY(Text))
    digest: bytes = Field(sa_type=LargeBinary)
    content: str


class Supersession(SQLModel, table=True):
    """A fact that a correction replaced, and the fact that replaced it; it stays when either of them is purged."""

    __tablename__ = "supersession"
    __table_args__ = ({"schema": "sources"},)

    firm_id: UUID = Field(primary_key=True)
    delivery_no: int = Field(primary_key=True)
    line_no: int = Field(primary_key=True)
    by_delivery_no: int
    by_line_no: int
    superseded_at: datetime = Field(sa_type=type_of_moment)
    xid: str = Field(
        default=None, sa_type=Xid8, nullable=False, sa_column_kwargs={"server_default": text("pg_current_xact_id()")}
    )


class RecordSupersession(SQLModel, table=True):
    """A record that a later one of the same name replaced; each kind has a table of its own, so nothing is referred to.

    `verify` names a record that says it was superseded without a row here, and the reverse.
    """

    __tablename__ = "record_supersession"
    __table_args__ = ({"schema": "sources"},)

    item_code: str = Field(primary_key=True)
    firm_id: UUID = Field(primary_key=True)
    delivery_no: int = Field(primary_key=True)
    line_no: int = Field(primary_key=True)
    by_delivery_no: int
    by_line_no: int
    superseded_at: datetime = Field(sa_type=type_of_moment)
    xid: str = Field(
        default=None, sa_type=Xid8, nullable=False, sa_column_kwargs={"server_default": text("pg_current_xact_id()")}
    )


class FactSeal(SQLModel, table=True):
    """The leaves of one firm's facts in a stretch of a delivery's lines: 32 bytes each, in the order of `line_nos`."""

    __tablename__ = "fact_seal"
    __table_args__ = (Index("ix_fact_seal_delivery_no", "delivery_no"), {"schema": "sources"})

    firm_id: UUID = Field(primary_key=True)
    delivery_no: int = Field(primary_key=True)
    chunk: int = Field(primary_key=True)
    line_nos: list[int] = Field(sa_type=ARRAY(Integer))
    leaves: bytes = Field(sa_type=LargeBinary)
    sealed_at: datetime = Field(sa_type=type_of_moment)
    xid: str = Field(
        default=None, sa_type=Xid8, nullable=False, sa_column_kwargs={"server_default": text("pg_current_xact_id()")}
    )


class Tombstone(SQLModel, table=True):
    """Facts of one firm in a stretch of a delivery that were purged: each line with the leaf that it was found with.

    `proof` is the hash of the seal in which the leaves stand; that seal's own row is in a sealed block.
    """

    __tablename__ = "tombstone"
    __table_args__ = (
        one_of("reason", PurgeReason),
        CheckConstraint("length(leaves) = 32 * cardinality(line_nos)", name="a_leaf_a_line"),
        Index("ix_tombstone_delivery_no", "delivery_no"),
        {"schema": "sources"},
    )

    firm_id: UUID = Field(primary_key=True)
    delivery_no: int = Field(primary_key=True)
    chunk: int = Field(primary_key=True)
    part: int = Field(primary_key=True)
    item_code: str
    line_nos: list[int] = Field(sa_type=ARRAY(Integer))
    leaves: bytes = Field(sa_type=LargeBinary)
    proof: bytes = Field(sa_type=LargeBinary)
    reason: str
    recorded_at: datetime = Field(sa_type=type_of_moment)
    purged_at: datetime = Field(sa_type=type_of_moment)
    xid: str = Field(
        default=None, sa_type=Xid8, nullable=False, sa_column_kwargs={"server_default": text("pg_current_xact_id()")}
    )


class Pull(SQLModel, table=True):
    """One asking of an outside system; its secrets are encrypted and gone when it has ended."""

    __tablename__ = "pull"
    __table_args__ = (
        one_of("source", PullSource),
        one_of("state", PullState),
        UniqueConstraint("firm_id", "source", "code_digest"),
        CheckConstraint(
            "state IN ('pending', 'running') OR (sealed_code IS NULL AND sealed_token IS NULL)",
            name="secrets_destroyed",
        ),
        CheckConstraint("(state IN ('pending', 'running')) = (ended_at IS NULL)", name="ended_once"),
        Index(
            "uq_pull_open_firm_id_source",
            "firm_id",
            "source",
            unique=True,
            postgresql_where=text("state IN ('pending', 'running')"),
        ),
        Index("ix_pull_firm_id_id", "firm_id", "id"),
        {"schema": "sources"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    firm_id: UUID
    source: str
    state: str = PullState.PENDING.value
    reason: str | None = None
    asked_by: UUID
    asked_at: datetime = Field(sa_type=type_of_moment)
    months_from: date
    months_to: date
    code_digest: bytes = Field(sa_type=LargeBinary)
    sealed_code: bytes | None = Field(default=None, sa_type=LargeBinary)
    sealed_token: bytes | None = Field(default=None, sa_type=LargeBinary)
    attempts: int = 0
    put_offs: int = 0
    leased_until: datetime | None = Field(default=None, sa_type=type_of_moment)
    retries_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    touched_at: datetime = Field(default_factory=wall_now, sa_type=type_of_moment)
    pages_done: int = 0
    pages: int | None = None
    covers_from: date | None = None
    covers_to: date | None = None
    received: int | None = None
    loaded: int | None = None
    delivery_id: UUID | None = Field(default=None, foreign_key="sources.delivery.id")
    ended_at: datetime | None = Field(default=None, sa_type=type_of_moment)


class PullPart(SQLModel, table=True):
    """What became of one item of a pull; only a stored delivery makes it got."""

    __tablename__ = "pull_part"
    __table_args__ = (
        one_of("state", PartState),
        CheckConstraint(
            "(state = 'got') = (delivery_id IS NOT NULL)"
            " AND (state = 'got') = (received IS NOT NULL) AND (state = 'got') = (loaded IS NOT NULL)",
            name="got_is_stored",
        ),
        CheckConstraint("(state IN ('waiting', 'reading')) = (ended_at IS NULL)", name="ended_once"),
        Index("ix_pull_part_delivery_id", "delivery_id"),
        {"schema": "sources"},
    )

    firm_id: UUID = Field(primary_key=True)
    pull_id: UUID = Field(primary_key=True, foreign_key="sources.pull.id")
    item_code: str = Field(primary_key=True)
    place: int = Field(sa_type=SmallInteger)
    state: str = PartState.WAITING.value
    reason: str | None = None
    pages_done: int = 0
    pages: int | None = None
    covers_from: date | None = None
    covers_to: date | None = None
    received: int | None = None
    loaded: int | None = None
    delivery_id: UUID | None = Field(default=None, foreign_key="sources.delivery.id")
    expected_by: date | None = None
    ended_at: datetime | None = Field(default=None, sa_type=type_of_moment)


class SourceBreaker(SQLModel, table=True):
    """A source's circuit breaker, shared by all workers; all its moments are wall time."""

    __tablename__ = "source_breaker"
    __table_args__ = (
        one_of("source", PullSource),
        one_of("state", BreakerState),
        CheckConstraint("(state = 'open') = (rests_until IS NOT NULL)", name="open_rests"),
        CheckConstraint("(state = 'half_open') = (probing_until IS NOT NULL)", name="half_open_probes"),
        {"schema": "sources"},
    )

    source: str = Field(primary_key=True)
    state: str = BreakerState.CLOSED.value
    failures: int = 0
    openings: int = 0
    rests_until: datetime | None = Field(default=None, sa_type=type_of_moment)
    probing_until: datetime | None = Field(default=None, sa_type=type_of_moment)
    last_success_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    last_failure_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    last_reason: str | None = None
