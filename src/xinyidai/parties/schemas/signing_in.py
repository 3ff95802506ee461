"""Signing in, second factors, step-up and sessions on the wire."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field
from pydantic.config import JsonDict, JsonValue

from xinyidai.parties.rules import (
    MAX_CODE,
    Enrolment,
    SessionStage,
    SessionView,
    SignedIn,
    SignInPending,
)
from xinyidai.parties.schemas.people import MeOut
from xinyidai.parties.schemas.shapes import ID, ME, Typed, with_example

TypedCode = Annotated[str, Field(min_length=1, max_length=MAX_CODE)]
_CODES: list[JsonValue] = ["ABCD-EFGH-JK23", "MNPQ-RSTV-WX45"]
_AT = "2025-06-16T04:00:00Z"


class SignInIn(BaseModel):
    """An email and its password; `organisation_id` is needed by people of several organisations."""

    model_config = with_example({"email": "owner@example.com", "password": "a long pass phrase"})

    email: Typed
    password: Typed
    organisation_id: UUID | None = None


class SignInOut(BaseModel):
    """How far the sign-in has come: `open` with who I am, or the step that is next and until when (wall time)."""

    model_config = with_example({"stage": "open", "expires_at": None, "me": ME})

    stage: SessionStage
    expires_at: datetime | None
    me: MeOut | None

    @classmethod
    def of(cls, outcome: SignedIn | SignInPending) -> "SignInOut":
        """Build from a sign-in."""
        if isinstance(outcome, SignInPending):
            return cls(stage=outcome.stage, expires_at=outcome.expires_at, me=None)
        me = MeOut.of(outcome.viewer, list(outcome.organisations))
        return cls(stage=SessionStage.OPEN, expires_at=None, me=me)


class CodeIn(BaseModel):
    """A code of the authenticator, or where said so a recovery code."""

    model_config = with_example({"code": "123456"})

    code: TypedCode


class EnrolmentOut(BaseModel):
    """What an authenticator app is given, shown once: the secret in base32 and the same as an otpauth link."""

    model_config = with_example(
        {
            "secret": "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
            "provisioning_uri": "otpauth://totp/xinyidai:owner%40example.com?secret=JBSWY3DPEHPK3PXP&issuer=xinyidai",
        }
    )

    secret: str
    provisioning_uri: str

    @classmethod
    def of(cls, enrolment: Enrolment) -> "EnrolmentOut":
        """Build from an enrolment."""
        return cls(secret=enrolment.secret, provisioning_uri=enrolment.provisioning_uri)


class RecoveryCodesOut(BaseModel):
    """Recovery codes, shown this once; each passes once instead of a code of the authenticator."""

    model_config = with_example({"recovery_codes": _CODES})

    recovery_codes: list[str]


class EnrolledOut(BaseModel):
    """A sign-in finished by an enrolment: who I am, and the recovery codes, shown this once."""

    model_config = with_example({"me": ME, "recovery_codes": _CODES})

    me: MeOut
    recovery_codes: list[str]


class StepUpIn(BaseModel):
    """A code where a second factor is enrolled, else the password."""

    model_config = with_example({"code": "123456"})

    password: Typed | None = None
    code: TypedCode | None = None


class ProvedOut(BaseModel):
    """When identity was proved last (wall time); it counts for five minutes."""

    model_config = with_example({"proved_at": _AT})

    proved_at: datetime


class PasswordIn(BaseModel):
    """The password as it is and as it shall be."""

    model_config = with_example({"current": "a long pass phrase", "new": "another long pass phrase"})

    current: Typed
    new: Typed


class SwitchIn(BaseModel):
    """The organisation for which the session shall act."""

    model_config = with_example({"organisation_id": ID})

    organisation_id: UUID


_SESSION: JsonDict = {
    "id": "01976f2c-8a1e-7c55-9a53-0c7d0a5f2b14",
    "organisation_id": ID,
    "organisation_name": "重庆示例银行股份有限公司",
    "agent": "Firefox, Windows",
    "created_at": _AT,
    "seen_at": _AT,
    "expires_at": "2025-06-16T12:00:00Z",
    "is_current": True,
}


class SessionOut(BaseModel):
    """One of my open sessions; times are wall time, the last use is exact to a minute."""

    model_config = with_example(_SESSION)

    id: UUID
    organisation_id: UUID
    organisation_name: str
    agent: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    is_current: bool

    @classmethod
    def of(cls, view: SessionView) -> "SessionOut":
        """Build from a session."""
        return cls(
            id=view.id,
            organisation_id=view.organisation_id,
            organisation_name=view.organisation_name,
            agent=view.agent,
            created_at=view.created_at,
            seen_at=view.seen_at,
            expires_at=view.expires_at,
            is_current=view.is_current,
        )


class SessionPageOut(BaseModel):
    """A page of my open sessions, oldest first."""

    model_config = with_example({"sessions": [_SESSION], "next_cursor": None})

    sessions: list[SessionOut]
    next_cursor: str | None


class RevokedOut(BaseModel):
    """How many sessions were ended."""

    model_config = with_example({"revoked": 2})

    revoked: int
