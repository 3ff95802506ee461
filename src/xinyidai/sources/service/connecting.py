"""Which sources the settings connect the platform to, and under which name it is known there."""

from dataclasses import dataclass, field

from xinyidai.foundation.settings import Settings
from xinyidai.sources.rules.pulls import PullSource


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
