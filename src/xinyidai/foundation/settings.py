"""Settings from the environment; a secret may come by file as `NAME_FILE` (compose secrets)."""

import hashlib
import hmac
import os
from datetime import datetime
from enum import StrEnum
from functools import cache
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy.engine import URL, make_url

from xinyidai.foundation.city_clock import CityClock, CityControl
from xinyidai.foundation.clock import BusinessClock, clock_of


class DatabaseRole(StrEnum):
    """The roles of the cluster, made once by `xinyidai migrate --bootstrap`; only owner owns, and it cannot sign in."""

    OWNER = "xinyidai_owner"
    MIGRATE = "xinyidai_migrate"
    APP = "xinyidai_app"
    WORKER = "xinyidai_worker"
    AUDITOR = "xinyidai_auditor"


class Settings(BaseSettings):
    """What a process must be told. Every field is an environment variable of the same name in capitals."""

    model_config = SettingsConfigDict(env_file=None, extra="ignore", frozen=True)

    database_url: SecretStr | None = Field(
        None, description="PostgreSQL with an administrator's credentials; absent: the embedded server"
    )
    app_database_url: SecretStr | None = Field(default=None, description="what web processes sign in with")
    worker_database_url: SecretStr | None = Field(
        default=None, description="what workers, beat and commands sign in with"
    )
    migrate_database_url: SecretStr | None = Field(default=None, description="what migrations sign in with")
    auditor_database_url: SecretStr | None = Field(default=None, description="what verify signs in with")
    broker_url: SecretStr | None = Field(default=None, description="Valkey or Redis; absent: the embedded server")
    secret_key: SecretStr = Field(description="at least 32 random bytes; sessions, key wrapping, local role passwords")
    xinyidai_home: Path = Field(default=Path(".xinyidai"), description="where embedded servers and local secrets live")
    heartbeat_path: Path | None = Field(
        default=None, description="a file that beat and worker touch while they work, for a health check of its age"
    )
    sandbox: bool = Field(default=False, description="simulated parties and a simulated clock are allowed")
    wall_anchor: datetime | None = Field(default=None, description="with SANDBOX=1: the wall time of the anchor")
    business_anchor: datetime | None = Field(default=None, description="with SANDBOX=1: the business time at it")
    city_url: str | None = Field(
        default=None, description="with SANDBOX=1: the simulated city whose clock and providers are used"
    )
    city_clock_stamp: Path | None = Field(
        default=None, description="with CITY_URL: a file of the city's that grows whenever its clock is changed"
    )
    city_control_token: SecretStr | None = Field(
        default=None, description="with CITY_URL: what the city's clock obeys; made anew at each start of the demo"
    )
    tax_client_id: str | None = Field(default=None, description="with CITY_URL: our name at the tax provider")
    tax_client_secret: SecretStr | None = Field(default=None, description="with CITY_URL: our secret there")
    utilities_client_id: str | None = Field(default=None, description="with CITY_URL: our name at the utilities")
    utilities_client_secret: SecretStr | None = Field(
        default=None, description="with CITY_URL: what requests to the utilities are signed with"
    )
    benefits_client_id: str | None = Field(
        default=None, description="with CITY_URL: our name at the office of social insurance and housing fund"
    )
    benefits_client_secret: SecretStr | None = Field(
        default=None, description="with CITY_URL: our secret there, which also signs the list of firms"
    )
    benefits_public_key: str | None = Field(
        default=None,
        description="with CITY_URL: the office's Ed25519 key in base64, pinned: files signed with another are refused",
    )
    courts_client_id: str | None = Field(default=None, description="with CITY_URL: our name at the courts")
    courts_client_secret: SecretStr | None = Field(
        default=None, description="with CITY_URL: our secret there, with which the courts sign what they call back"
    )
    customs_client_id: str | None = Field(default=None, description="with CITY_URL: our name at the customs")
    customs_client_secret: SecretStr | None = Field(default=None, description="with CITY_URL: our API key there")
    argon2_time_cost: int = Field(default=3, ge=1, description="password hashing passes; tests use 1")
    argon2_memory_kib: int = Field(default=65_536, ge=8, description="password hashing memory; tests use 8")
    staff_second_factor: bool = Field(
        default=True,
        description="people of lenders, funds, guarantors, regulators and the operator must enrol a second factor",
    )
    province_code: str = Field(
        default="50", pattern="^[1-8][0-9]$", description="the platform's province, as in GB/T 2260: what it may hold"
    )
    requests_per_minute: int = Field(default=600, ge=1, description="allowance per account and web process")
    failed_keys_per_minute: int = Field(
        default=30, ge=1, description="invalid API keys per address and web process that are looked up"
    )
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = Field(
        default=(),
        description="addresses or networks, by commas, whose X-Forwarded-For names the client; any other is ignored",
    )

    @field_validator("trusted_proxies", mode="before")
    @classmethod
    def _by_commas(cls, told: object) -> object:
        """Split a list written as one text; a network with bits beyond its prefix is refused, not guessed at."""
        return [one for one in told.replace(",", " ").split() if one] if isinstance(told, str) else told

    @model_validator(mode="after")
    def _keep_the_city_in_its_sandbox(self) -> Self:
        """Refuse a simulated city beside real firms: its clock would move real deadlines."""
        if self.city_url is None:
            return self
        if not self.sandbox:
            raise ValueError("CITY_URL is for SANDBOX=1 only")
        place = urlsplit(self.city_url)
        if place.scheme != "http" or not place.netloc or place.path.strip("/"):
            raise ValueError("CITY_URL must be like http://127.0.0.1:8010")
        return self

    def dsn(self, role: DatabaseRole) -> URL:
        """Return the asyncpg URL of a role: its own setting, or DATABASE_URL with the role's local password.

        Local passwords are derived from the secret key, which only suits one machine under one person; in production
        each process is given its own URL and no other.
        """
        own = {
            DatabaseRole.APP: self.app_database_url,
            DatabaseRole.WORKER: self.worker_database_url,
            DatabaseRole.MIGRATE: self.migrate_database_url,
            DatabaseRole.AUDITOR: self.auditor_database_url,
        }.get(role)
        if own is not None:
            return as_asyncpg(own.get_secret_value())
        if self.database_url is None:
            raise ValueError(f"no database is set for {role}")
        url = as_asyncpg(self.database_url.get_secret_value())
        return url.set(username=role.value, password=self.local_password(role))

    def clock(self) -> BusinessClock:
        """Return the business clock that these settings ask for: the city's, an anchored one, or the wall's."""
        if self.city_url is not None:
            return CityClock(self.city_url, stamp=self.city_clock_stamp)
        return clock_of(sandbox=self.sandbox, wall_anchor=self.wall_anchor, business_anchor=self.business_anchor)

    def city_control(self) -> CityControl | None:
        """Return the buttons of the city's clock; None without a city or without its token."""
        if self.city_url is None or self.city_control_token is None:
            return None
        return CityControl(self.city_url, self.city_control_token.get_secret_value())

    def local_password(self, role: DatabaseRole) -> str:
        """Return the role's password on a server of one's own, derived from the secret key."""
        key = self.secret_key.get_secret_value().encode()
        return hmac.new(key, f"role:{role}".encode(), hashlib.sha256).hexdigest()

    def secret(self, purpose: str) -> bytes:
        """Return 32 bytes for one purpose, derived from the secret key, so that no two purposes share a key."""
        key = self.secret_key.get_secret_value().encode()
        return hmac.new(key, f"purpose:{purpose}".encode(), hashlib.sha256).digest()


def as_asyncpg(url: str) -> URL:
    """Return the URL with the asyncpg driver, whatever dialect prefix it came with."""
    return make_url(url).set(drivername="postgresql+asyncpg")


def read_secret_files() -> None:
    """Turn each NAME_FILE of a known setting into NAME, so that secrets come by file and not by environment."""
    for name in list(os.environ):
        plain = name.removesuffix("_FILE")
        if plain != name and plain.lower() in Settings.model_fields and plain not in os.environ:
            os.environ[plain] = Path(os.environ[name]).read_text(encoding="utf-8").strip()


@cache
def settings() -> Settings:
    """Return the process's settings, read once."""
    read_secret_files()
    return Settings()
