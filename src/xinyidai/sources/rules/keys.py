"""Keys with which providers sign what they deliver: how one lives, and who may use it when. Pure."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from xinyidai.foundation.errors import Refusal

MOST_VALIDITY: Final = timedelta(days=731)
"""A key is renewed at least every two years; two of a provider may be in force at once, for rotation."""


class KeyState(StrEnum):
    """The life of a key: proposed by one person of the operator, in use once another approved it, retired for good."""

    PROPOSED = "proposed"
    IN_USE = "in_use"
    RETIRED = "retired"


class ProviderKeyUnknown(Refusal):
    """The provider has no key of this id."""

    code = "provider_key_unknown"
    status = 422
    title_zh = "该机构没有登记此签名密钥"
    title_en = "The provider has no such signing key"


class ProviderKeyNotInForce(Refusal):
    """The key is not approved, was retired, or its time has not begun or is over."""

    code = "provider_key_not_in_force"
    status = 422
    title_zh = "签名密钥未生效：{why}"
    title_en = "The signing key is not in force: {why}"


class ProviderKeyRefused(Refusal):
    """What was proposed can be no key: malformed, in use already, or valid for too long."""

    code = "provider_key_refused"
    status = 422
    title_zh = "签名密钥不被接受：{why}"
    title_en = "The signing key is refused: {why}"


class ProviderKeySettled(Refusal):
    """The key was approved or retired already."""

    code = "provider_key_settled"
    title_zh = "该密钥已审批或已停用"
    title_en = "The key was approved or retired already"


class SignatureWrong(Refusal):
    """The signature is not of these words under this key: they were altered, or somebody else signed."""

    code = "signature_wrong"
    status = 422
    title_zh = "签名与内容不符"
    title_en = "The signature is not of this content"


@dataclass(frozen=True)
class KeyView:
    """One public key of a provider, in force from `valid_from_at` until before `valid_until` once approved."""

    id: UUID
    provider_id: UUID
    public_key: bytes
    valid_from_at: datetime
    valid_until: datetime
    proposed_by: UUID
    proposed_at: datetime
    approved_by: UUID | None
    approved_at: datetime | None
    retired_by: UUID | None
    retired_at: datetime | None

    @property
    def fingerprint(self) -> str:
        """Return the SHA-256 of the 32 bytes in hex: what two people read to each other to know the key."""
        return hashlib.sha256(self.public_key).hexdigest()

    @property
    def state(self) -> KeyState:
        """Return where it is in its life; whether its time has come is another matter."""
        if self.retired_at is not None:
            return KeyState.RETIRED
        return KeyState.PROPOSED if self.approved_at is None else KeyState.IN_USE

    def requires_in_force(self, at: datetime) -> None:
        """Refuse with `ProviderKeyNotInForce` a moment at which nothing may be signed with it."""
        if self.state is not KeyState.IN_USE:
            raise ProviderKeyNotInForce(why=self.state.value)
        if not self.valid_from_at <= at < self.valid_until:
            raise ProviderKeyNotInForce(why="not_yet" if at < self.valid_from_at else "expired")


def requires_validity(valid_from_at: datetime, valid_until: datetime, *, now: datetime) -> None:
    """Refuse with `ProviderKeyRefused` a stretch that is empty, over already, or longer than MOST_VALIDITY."""
    if not valid_from_at < valid_until <= valid_from_at + MOST_VALIDITY:
        raise ProviderKeyRefused(why=f"valid for more than {MOST_VALIDITY.days} days, or for none")
    if valid_until <= now:
        raise ProviderKeyRefused(why="over already")
