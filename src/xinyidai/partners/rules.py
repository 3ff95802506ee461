"""Keys: how a secret looks, what it may be allowed, and what others see of it."""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from xinyidai.access.rules import Role
from xinyidai.foundation.errors import Refusal, ValueRefused

LIVE: Final = "xyd_live_"
SANDBOX: Final = "xyd_test_"
SECRET_BYTES: Final = 32
SECRET_LENGTH: Final = 43
"""Characters that 32 bytes take in base64url without padding."""
PREFIX_SHOWN: Final = 6
MAX_KEYS: Final = 50
"""Active keys of one organisation: enough to give every system its own and to change them without a gap."""
COARSE: Final = timedelta(minutes=5)
"""How exactly the last use is kept: a write on every request would cost more than it tells."""


class Scope(StrEnum):
    """What a key may be allowed to do; people are held by their roles instead."""

    PARTIES_READ = "parties:read"
    CATALOGUE_READ = "catalogue:read"
    CONSENTS_READ = "consents:read"
    CONSENTS_WRITE = "consents:write"
    DOCUMENTS_READ = "documents:read"
    DOCUMENTS_WRITE = "documents:write"
    SOURCES_READ = "sources:read"
    SOURCES_WRITE = "sources:write"
    OBJECTIONS_READ = "objections:read"
    OBJECTIONS_WRITE = "objections:write"
    PROFILES_READ = "profiles:read"
    SCORES_READ = "scores:read"
    SCORES_WRITE = "scores:write"
    PRODUCTS_READ = "products:read"
    PRODUCTS_WRITE = "products:write"
    DEMANDS_READ = "demands:read"
    DEMANDS_WRITE = "demands:write"
    OFFERS_READ = "offers:read"
    OFFERS_WRITE = "offers:write"
    AGREEMENTS_READ = "agreements:read"
    LOANS_READ = "loans:read"
    LOANS_WRITE = "loans:write"
    CLAIMS_READ = "claims:read"
    CLAIMS_WRITE = "claims:write"
    DECISIONS_READ = "decisions:read"
    LEDGER_READ = "ledger:read"
    REPORTING_READ = "reporting:read"
    AUDIT_READ = "audit:read"


CLIENT_ROLES: Final = frozenset({Role.OFFICER, Role.APPROVER})
"""A key makes, as an officer does. Only a simulated party's key in a sandbox may be an approver: otherwise no pair of
keys can stand for two people."""
MAX_BATCH: Final = 10_000
"""Keys that one call mints for simulated parties."""


class TooManyKeys(Refusal):
    """The organisation has as many active keys as it may."""

    code = "too_many_keys"
    title_zh = "有效接口密钥已达上限 {most} 个，请先停用不再使用的密钥"
    title_en = "The organisation has {most} active keys already: revoke one that is no longer used"


class PartyNotSimulated(Refusal):
    """A sandbox key was asked for a party that is real."""

    code = "party_not_simulated"
    title_zh = "沙箱密钥只能发给模拟主体"
    title_en = "Sandbox keys are for simulated parties only"


class KeyRoleNotAllowed(Refusal):
    """A key outside a sandbox, or of another role than keys have, was asked for."""

    code = "key_role_not_allowed"
    title_zh = "接口密钥只能是经办角色；复核角色仅限沙箱中的模拟主体"
    title_en = "A key is an officer's; an approver's only for simulated parties in a sandbox"


class KeyRevoked(Refusal):
    """The key was revoked before."""

    code = "key_revoked"
    title_zh = "该密钥已停用"
    title_en = "This key is revoked already"


@dataclass(frozen=True)
class KeyView:
    """A key as its organisation's administrators see it: never the secret, only how it begins."""

    id: UUID
    organisation_id: UUID
    name: str
    prefix: str
    scopes: tuple[Scope, ...]
    is_sandbox: bool
    role: Role
    created_by: UUID
    created_at: datetime
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True)
class WantedKey:
    """A key to mint for a simulated party, among many."""

    organisation_id: UUID
    name: str
    role: Role
    scopes: tuple[Scope, ...]


@dataclass(frozen=True)
class MintedKey:
    """A new key with its secret, which is shown this once."""

    key: KeyView
    secret: str

    @property
    def client_id(self) -> UUID:
        """Return the id under which the client acts."""
        return self.key.id


def new_secret(*, is_sandbox: bool) -> str:
    """Return a new secret: a visible kind, then 256 random bits."""
    return (SANDBOX if is_sandbox else LIVE) + secrets.token_urlsafe(SECRET_BYTES)


def looks_like_a_secret(presented: str) -> bool:
    """Say whether a text has the shape of a secret, so that nonsense costs no look-up."""
    return presented.startswith((LIVE, SANDBOX)) and len(presented) == len(LIVE) + SECRET_LENGTH and presented.isascii()


def digest_of(secret: str) -> bytes:
    """Return what is kept of a secret.

    A fast hash is right here: 256 random bits cannot be guessed, so there is nothing for a slow one to slow down.
    """
    return hashlib.sha256(secret.encode()).digest()


def shown_prefix(secret: str) -> str:
    """Return how a secret begins, for people to tell keys apart by."""
    return secret[: len(LIVE) + PREFIX_SHOWN]


def checked_scopes(scopes: Iterable[str]) -> tuple[Scope, ...]:
    """Return the scopes in order, without repeats.

    Raises
    ------
    ValueRefused
        None, or one that does not exist.
    """
    known = set(Scope)
    asked = sorted(set(scopes))
    unknown = [scope for scope in asked if scope not in known]
    if unknown or not asked:
        raise ValueRefused(field="scopes", why=f"unknown: {', '.join(unknown)[:100]}" if unknown else "at least one")
    return tuple(Scope(scope) for scope in asked)
