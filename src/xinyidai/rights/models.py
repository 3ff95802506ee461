"""The table of requests."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, LargeBinary, text
from sqlmodel import Field, SQLModel

from xinyidai.foundation.canonical import Json
from xinyidai.foundation.database import one_of, type_of_json, type_of_moment
from xinyidai.foundation.ids import new_id
from xinyidai.rights.rules import RequestKind, RequestState


class RightRequest(SQLModel, table=True):
    """One export or deletion that a firm asked for; an archive is sealed and destroyed when its link ends."""

    __tablename__ = "request"
    __table_args__ = (
        one_of("kind", RequestKind),
        one_of("state", RequestState),
        CheckConstraint("(state = 'asked') = (done_at IS NULL)", name="done_once"),
        CheckConstraint(
            "(archive_sealed IS NOT NULL) = (kind = 'export' AND state = 'done')", name="archive_while_it_lasts"
        ),
        Index(
            "uq_request_firm_id_kind_asked",
            "firm_id",
            "kind",
            unique=True,
            postgresql_where=text("state = 'asked'"),
        ),
        Index("ix_request_firm_id_id", "firm_id", "id"),
        Index("ix_request_expires_at", "expires_at", postgresql_where=text("archive_sealed IS NOT NULL")),
        {"schema": "rights"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    firm_id: UUID
    kind: str
    state: str = RequestState.ASKED.value
    asked_by: UUID
    asked_at: datetime = Field(sa_type=type_of_moment)
    done_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    expires_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    archive_sealed: bytes | None = Field(default=None, sa_type=LargeBinary)
    byte_count: int | None = None
    facts_deleted: int | None = None
    stays: list[dict[str, Json]] = Field(default_factory=list, sa_type=type_of_json)
