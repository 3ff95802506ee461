"""Tables of parties and their people."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, Index, LargeBinary, String, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from xinyidai.access.rules import OrganisationKind
from xinyidai.foundation.database import one_of, type_of_fen, type_of_moment
from xinyidai.foundation.ids import new_id
from xinyidai.parties.rules import RecoveryKind, SessionStage


class Party(SQLModel, table=True):
    """A firm, sole trader, lender, guarantor, fund, agency, regulator or the operator: what the registry shows."""

    __tablename__ = "party"
    __table_args__ = (
        UniqueConstraint("credit_code"),
        one_of("kind", OrganisationKind),
        CheckConstraint("credit_code ~ '^[0-9A-HJ-NPQRTUWXY]{18}$'", name="credit_code_shape"),
        CheckConstraint("char_length(name) BETWEEN 1 AND 120", name="name_length"),
        Index("ix_party_kind_id", "kind", "id"),
        {"schema": "parties"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    kind: str
    name: str
    credit_code: str | None = None
    industry_code: str | None = None
    established_on: date | None = None
    is_simulated: bool = False
    registered_at: datetime = Field(sa_type=type_of_moment)


class PartyRegion(SQLModel, table=True):
    """Where a party sits from a day on; a later row for the same day corrects an earlier one."""

    __tablename__ = "party_region"
    __table_args__ = (
        Index("ix_party_region_party_id_valid_from_recorded_at", "party_id", "valid_from", "recorded_at"),
        {"schema": "parties"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    party_id: UUID = Field(foreign_key="parties.party.id")
    region_code: str
    valid_from: date
    recorded_at: datetime = Field(sa_type=type_of_moment)
    recorded_by: UUID | None = None


class DeclaredSize(SQLModel, table=True):
    """Staff, revenue and assets as the party declared them for a time; a later row corrects an earlier one."""

    __tablename__ = "declared_size"
    __table_args__ = (
        CheckConstraint("staff >= 0", name="staff_positive"),
        CheckConstraint("revenue_fen >= 0", name="revenue_positive"),
        CheckConstraint("assets_fen >= 0", name="assets_positive"),
        Index("ix_declared_size_party_id_valid_from_recorded_at", "party_id", "valid_from", "recorded_at"),
        {"schema": "parties"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    party_id: UUID = Field(foreign_key="parties.party.id")
    staff: int | None = None
    revenue_fen: int | None = Field(default=None, sa_type=type_of_fen)
    assets_fen: int | None = Field(default=None, sa_type=type_of_fen)
    valid_from: date
    recorded_at: datetime = Field(sa_type=type_of_moment)


class CodeException(SQLModel, table=True):
    """A legal credit code whose check digit fails, with the reason and the two people who admitted it.

    Rows of the migration carry no people: their basis is the `reason`.
    """

    __tablename__ = "code_exception"
    __table_args__ = (
        CheckConstraint("proposed_by <> approved_by", name="two_people"),
        CheckConstraint("valid_to > valid_from", name="valid_order"),
        Index(
            "uq_code_exception_credit_code_open", "credit_code", unique=True, postgresql_where=text("valid_to IS NULL")
        ),
        {"schema": "parties"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    credit_code: str
    reason: str
    valid_from: date
    valid_to: date | None = None
    proposed_by: UUID | None = None
    proposed_at: datetime = Field(sa_type=type_of_moment)
    approved_by: UUID | None = None
    approved_at: datetime | None = Field(default=None, sa_type=type_of_moment)


class User(SQLModel, table=True):
    """A person who signs in. What they may do is in their memberships, what they sign in with in `Credential`."""

    __tablename__ = "platform_user"
    __table_args__ = (
        UniqueConstraint("email"),
        CheckConstraint("email = lower(email)", name="email_folded"),
        {"schema": "parties"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    email: str
    display_name: str
    created_at: datetime = Field(sa_type=type_of_moment)


class Credential(SQLModel, table=True):
    """What a person signs in with. No role may read it: only the functions of sign_in_v1.sql see one row at a time."""

    __tablename__ = "credential"
    __table_args__ = (CheckConstraint("failures >= 0", name="failures_positive"), {"schema": "parties"})

    user_id: UUID = Field(primary_key=True, foreign_key="parties.platform_user.id")
    password_hash: str
    failures: int = 0
    locked_until: datetime | None = Field(default=None, sa_type=type_of_moment)


class Membership(SQLModel, table=True):
    """A person's roles in one organisation, from one moment to another."""

    __tablename__ = "membership"
    __table_args__ = (
        CheckConstraint(
            "roles <@ ARRAY['owner', 'officer', 'approver', 'auditor', 'admin']::varchar[] AND cardinality(roles) > 0",
            name="roles_known",
        ),
        Index(
            "uq_membership_user_id_party_id_active",
            "user_id",
            "party_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index("ix_membership_party_id_id", "party_id", "id"),
        {"schema": "parties"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    user_id: UUID = Field(foreign_key="parties.platform_user.id")
    party_id: UUID = Field(foreign_key="parties.party.id")
    roles: list[str] = Field(sa_type=ARRAY(String))
    begun_at: datetime = Field(sa_type=type_of_moment)
    ended_at: datetime | None = Field(default=None, sa_type=type_of_moment)


class Invitation(SQLModel, table=True):
    """An email invited to roles in an organisation, under a token of which only the digest is kept.

    Expiry, withdrawal and acceptance are wall time; `invited_at` is business time.
    """

    __tablename__ = "invitation"
    __table_args__ = (
        UniqueConstraint("token_digest"),
        CheckConstraint("email = lower(email)", name="email_folded"),
        CheckConstraint("octet_length(token_digest) = 32", name="digest_length"),
        CheckConstraint("cardinality(roles) > 0", name="roles_given"),
        CheckConstraint("(accepted_at IS NULL) = (accepted_by IS NULL)", name="accepted_by_somebody"),
        CheckConstraint("accepted_at IS NULL OR withdrawn_at IS NULL", name="ended_once"),
        Index(
            "uq_invitation_party_id_email_open",
            "party_id",
            "email",
            unique=True,
            postgresql_where=text("accepted_at IS NULL AND withdrawn_at IS NULL"),
        ),
        {"schema": "parties"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    party_id: UUID = Field(foreign_key="parties.party.id")
    email: str
    roles: list[str] = Field(sa_type=ARRAY(String))
    token_digest: bytes = Field(sa_type=LargeBinary)
    invited_by: UUID
    invited_at: datetime = Field(sa_type=type_of_moment)
    expires_at: datetime = Field(sa_type=type_of_moment)
    accepted_by: UUID | None = None
    accepted_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    withdrawn_at: datetime | None = Field(default=None, sa_type=type_of_moment)


class SecondFactor(SQLModel, table=True):
    """A person's authenticator: secrets encrypted under the platform's key, and the last time step that was used.

    `secret` is None until the first enrolment is confirmed; `offered_secret` waits for its first code.
    """

    __tablename__ = "second_factor"
    __table_args__ = (
        CheckConstraint("(secret IS NULL) = (enrolled_at IS NULL)", name="enrolled_at_some_time"),
        CheckConstraint("(secret IS NULL) = (last_step IS NULL)", name="enrolled_by_a_code"),
        {"schema": "parties"},
    )

    user_id: UUID = Field(primary_key=True, foreign_key="parties.platform_user.id")
    secret: bytes | None = Field(default=None, sa_type=LargeBinary)
    offered_secret: bytes | None = Field(default=None, sa_type=LargeBinary)
    last_step: int | None = Field(default=None, sa_type=BigInteger)
    enrolled_at: datetime | None = Field(default=None, sa_type=type_of_moment)


class RecoveryCode(SQLModel, table=True):
    """A code for a lost device, kept as a keyed digest; spent by its use or by the codes that replace it."""

    __tablename__ = "recovery_code"
    __table_args__ = {"schema": "parties"}

    user_id: UUID = Field(primary_key=True, foreign_key="parties.platform_user.id")
    code_digest: bytes = Field(primary_key=True, sa_type=LargeBinary)
    created_at: datetime = Field(sa_type=type_of_moment)
    spent_at: datetime | None = Field(default=None, sa_type=type_of_moment)


class WebSession(SQLModel, table=True):
    """A person's session, asked at every request, so that ending its row ends it at once; all its times are wall time.

    Its token lies in the server-side store under the cookie's id; only the digest is kept here.
    """

    __tablename__ = "web_session"
    __table_args__ = (
        UniqueConstraint("token_digest"),
        one_of("stage", SessionStage),
        CheckConstraint("octet_length(token_digest) = 32", name="digest_length"),
        CheckConstraint("(stage = 'open') = (proved_at IS NOT NULL)", name="open_is_proved"),
        Index("ix_web_session_user_id_id_unended", "user_id", "id", postgresql_where=text("ended_at IS NULL")),
        {"schema": "parties"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    user_id: UUID = Field(foreign_key="parties.platform_user.id")
    party_id: UUID = Field(foreign_key="parties.party.id")
    token_digest: bytes = Field(sa_type=LargeBinary)
    stage: str
    agent: str
    created_at: datetime = Field(sa_type=type_of_moment)
    seen_at: datetime = Field(sa_type=type_of_moment)
    proved_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    expires_at: datetime = Field(sa_type=type_of_moment)
    ended_at: datetime | None = Field(default=None, sa_type=type_of_moment)


class AccountRecovery(SQLModel, table=True):
    """A recovery of an account: who asked, who confirmed, and the digest of the link or code; times are wall time."""

    __tablename__ = "account_recovery"
    __table_args__ = (
        UniqueConstraint("secret_digest"),
        one_of("kind", RecoveryKind),
        CheckConstraint("asked_by <> confirmed_by AND asked_by <> user_id", name="two_people"),
        CheckConstraint("confirmed_by <> user_id", name="not_for_oneself"),
        CheckConstraint("(kind = 'message') = (asked_by IS NULL)", name="asked_by_somebody"),
        CheckConstraint("(kind = 'message') = (party_id IS NULL)", name="desk_given"),
        CheckConstraint(
            "secret_digest IS NULL OR confirmed_by IS NOT NULL OR kind = 'message'", name="link_was_confirmed"
        ),
        Index("ix_account_recovery_user_id_unended", "user_id", postgresql_where=text("ended_at IS NULL")),
        {"schema": "parties"},
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    kind: str
    user_id: UUID = Field(foreign_key="parties.platform_user.id")
    party_id: UUID | None = Field(default=None, foreign_key="parties.party.id")
    asked_by: UUID | None = None
    asked_at: datetime = Field(sa_type=type_of_moment)
    confirmed_by: UUID | None = None
    secret_digest: bytes | None = Field(default=None, sa_type=LargeBinary)
    expires_at: datetime = Field(sa_type=type_of_moment)
    used_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    ended_at: datetime | None = Field(default=None, sa_type=type_of_moment)


class SimulatedText(SQLModel, table=True):
    """A text message of the sandbox: it is read on a page and sent to no phone."""

    __tablename__ = "simulated_text"
    __table_args__ = {"schema": "parties"}

    id: UUID = Field(default_factory=new_id, primary_key=True)
    user_id: UUID = Field(foreign_key="parties.platform_user.id")
    text_zh: str
    text_en: str
    sent_at: datetime = Field(sa_type=type_of_moment)


class Region(SQLModel, table=True):
    """A district, county or zone as it stands from one day to another; a superseded row is what was once believed."""

    __tablename__ = "region"
    __table_args__ = (
        CheckConstraint("kind IN ('district', 'county', 'autonomous_county', 'zone')", name="kind_known"),
        CheckConstraint("valid_to > valid_from", name="valid_order"),
        CheckConstraint("gb_code ~ '^[0-9]{6}$'", name="gb_code_shape"),
        Index(
            "uq_region_code_valid_from_believed",
            "code",
            "valid_from",
            unique=True,
            postgresql_where=text("superseded_at IS NULL"),
        ),
        {"schema": "parties"},
    )

    code: str = Field(primary_key=True)
    valid_from: date = Field(primary_key=True)
    recorded_at: datetime = Field(primary_key=True, sa_type=type_of_moment)
    superseded_at: datetime | None = Field(default=None, sa_type=type_of_moment)
    name_zh: str
    name_en: str
    kind: str
    gb_code: str | None = None
    valid_to: date | None = None
    note: str = ""


class RegionSuccessor(SQLModel, table=True):
    """Where a region's land went. `share_ppm` is None where no source gives the share: it is not made up."""

    __tablename__ = "region_successor"
    __table_args__ = (
        CheckConstraint("share_ppm BETWEEN 1 AND 1000000", name="share_range"),
        {"schema": "parties"},
    )

    from_code: str = Field(primary_key=True)
    to_code: str = Field(primary_key=True)
    changed_on: date = Field(primary_key=True)
    share_ppm: int | None = None
    note: str


class Industry(SQLModel, table=True):
    """A section (门类) of GB/T 4754 and the span of its divisions (大类)."""

    __tablename__ = "industry"
    __table_args__ = (CheckConstraint("first_division <= last_division", name="division_order"), {"schema": "parties"})

    code: str = Field(primary_key=True)
    valid_from: date = Field(primary_key=True)
    valid_to: date | None = None
    name_zh: str
    name_en: str
    first_division: int
    last_division: int


class SizeBound(SQLModel, table=True):
    """The lower bounds of large, medium and small by one measure, in one industry of the size standard."""

    __tablename__ = "size_bound"
    __table_args__ = (
        CheckConstraint("measure IN ('staff', 'revenue_fen', 'assets_fen')", name="measure_known"),
        CheckConstraint("large_from > medium_from AND medium_from > small_from", name="bounds_order"),
        {"schema": "parties"},
    )

    size_industry: str = Field(primary_key=True)
    measure: str = Field(primary_key=True)
    valid_from: date = Field(primary_key=True)
    valid_to: date | None = None
    large_from: int = Field(sa_type=type_of_fen)
    medium_from: int = Field(sa_type=type_of_fen)
    small_from: int = Field(sa_type=type_of_fen)
    source: str
    is_verified: bool = False
