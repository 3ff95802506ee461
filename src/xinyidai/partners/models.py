"""The table of machine clients."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, Index, LargeBinary, String, UniqueConstraint
from sqlmodel import Field, SQLModel

from xinyidai.access.rules import OrganisationKind, Role
from xinyidai.foundation.database import one_of, type_of_moment
from xinyidai.foundation.ids import new_id


class ApiClient(SQLModel, table=True):
    """One key of one organisation: the digest of its secret, its scopes, its life."""

    __tablename__ = "api_client"
    __table_args__ = (
        UniqueConstraint("secret_digest"),
        one_of("organisation_kind", OrganisationKind),
        CheckConstraint("role = 'officer' OR (role = 'approver' AND is_sandbox)", name="role_of_a_client"),
        CheckConstraint("octet_length(secret_digest) = 32", name="digest_length"),
        CheckConstraint("cardinality(scopes) > 0", name="scopes_given"),
        Index("ix_api_client_organisation_id_id", "organisation_id", "id"),
        {"schema": "partners"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    organisation_id: UUID
    organisation_kind: str
    name: str
    secret_digest: bytes = Field(sa_type=LargeBinary)
    prefix: str
    scopes: list[str] = Field(sa_type=ARRAY(String))
    is_sandbox: bool
    role: str = Role.OFFICER.value
    created_by: UUID
    created_at: datetime = Field(sa_type=type_of_moment)
    revoked_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    last_used_at: datetime | None = Field(default=None, sa_type=type_of_moment)
