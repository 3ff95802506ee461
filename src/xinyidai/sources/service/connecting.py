"""Which sources the settings connect the platform to, and under which name it is known there."""

from base64 import b64decode
from dataclasses import dataclass, field
from typing import Final

from xinyidai.foundation.settings import Settings
from xinyidai.sources.rules.offices.day_files import NAME as BENEFITS
from xinyidai.sources.rules.pulls import PullSource

OFFICES: Final = (*(source.value for source in PullSource), BENEFITS)
"""Every office at which the platform may be known: those that are pulled from, and the one of the daily files."""


@dataclass(frozen=True)
class Connection:
    """Where a source is, and our name there; a secret that is not set is empty and never shows in a repr."""

    url: str
    client_id: str
    client_secret: str = field(repr=False)


def connection_to(known: Settings, source: PullSource) -> Connection | None:
    """Return how a source is reached; None where the platform is not connected to it."""
    client_id, secret = {
        PullSource.TAX: (known.tax_client_id, known.tax_client_secret),
        PullSource.UTILITIES: (known.utilities_client_id, known.utilities_client_secret),
        PullSource.COURTS: (known.courts_client_id, known.courts_client_secret),
        PullSource.CUSTOMS: (known.customs_client_id, known.customs_client_secret),
    }[source]
    if known.city_url is None or not client_id:
        return None
    return Connection(known.city_url, client_id, "" if secret is None else secret.get_secret_value())


def connected_sources(known: Settings) -> list[PullSource]:
    """Return the sources that the platform is connected to, in their order."""
    return [source for source in PullSource if connection_to(known, source) is not None]


@dataclass(frozen=True)
class DayFileConnection(Connection):
    """The same for the office of the daily files; `public_key` is its Ed25519 key, 32 bytes, which was pinned."""

    public_key: bytes


def benefits_connection(known: Settings) -> DayFileConnection | None:
    """Return how the office of the daily files is reached; None where it is not, or its key is not pinned."""
    client_id, secret, key = known.benefits_client_id, known.benefits_client_secret, known.benefits_public_key
    if known.city_url is None or not client_id or not key:
        return None
    known_there = "" if secret is None else secret.get_secret_value()
    return DayFileConnection(known.city_url, client_id, known_there, b64decode(key))
