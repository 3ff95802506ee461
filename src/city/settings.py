"""What the platform's seeding wrote down for the city (city.toml), and where the city keeps its own things."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from city.clock import Mode

FIRM_KINDS = ("firm", "sole_trader")
PROVIDERS = ("tax", "utilities", "benefits", "courts", "customs")
"""Tables of city.toml that name a client of the provider; each may be missing."""


@dataclass(frozen=True)
class Actor:
    """A party of the city and what it signs in with. Keys and secrets never show in a repr."""

    credit_code: str
    kind: str
    party_id: str
    maker_key: str = field(repr=False)
    checker_key: str = field(default="", repr=False)
    city_secret: str = field(default="", repr=False)


@dataclass(frozen=True)
class Client:
    """Who may ask a provider: its name and secret there, where a person is sent back to, where answers are sent to."""

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uris: tuple[str, ...] = ()
    callback_url: str = ""


@dataclass(frozen=True)
class CityFile:
    """All of city.toml."""

    seed: int
    mode: Mode
    platform_urls: tuple[str, ...]
    """Addresses of one platform: `platform_url`, and where it is served as well, `also_at`."""
    clients: Mapping[str, Client]
    """By provider, those that city.toml names."""
    actors: Mapping[str, Actor]

    @property
    def tax(self) -> Client | None:
        """Return the tax bureau's client."""
        return self.clients.get("tax")

    def of_kind(self, *kinds: str) -> list[Actor]:
        """Return the actors of some kinds in credit-code order."""
        return [self.actors[code] for code in sorted(self.actors) if self.actors[code].kind in kinds]

    def code_of(self, party_id: str) -> str | None:
        """Return the credit code behind a party's id, None for one that is not of the city."""
        return next((one.credit_code for one in self.actors.values() if one.party_id == party_id), None)


def read_city_file(path: Path, *, seed: int, mode: Mode) -> CityFile:
    """Read city.toml; without one the city has a registry and a clock, and nobody acts.

    Raises
    ------
    ValueError
        The file is not what the contract says.
    """
    if not path.exists():
        return CityFile(seed, mode, (), {}, {})
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        actors = [
            Actor(
                credit_code=str(one["credit_code"]),
                kind=str(one["kind"]),
                party_id=str(one["party_id"]),
                maker_key=str(one.get("maker_key", "")),
                checker_key=str(one.get("checker_key", "")),
                city_secret=str(one.get("city_secret", "")),
            )
            for one in found.get("actors", [])
        ]
        return CityFile(
            seed=int(found.get("seed", seed)),
            mode=Mode(found.get("mode", mode)),
            platform_urls=(str(found["platform_url"]), *map(str, found.get("also_at", []))),
            clients={name: _client(found[name]) for name in PROVIDERS if name in found},
            actors={actor.credit_code: actor for actor in actors},
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        # Names of missing fields only: a decoder's message could quote a line that holds a key.
        raise ValueError(f"city.toml cannot be read: {type(error).__name__}") from None


def _client(one: Mapping[str, object]) -> Client:
    listed = one.get("redirect_uris", [])
    return Client(
        client_id=str(one["client_id"]),
        client_secret=str(one["client_secret"]),
        redirect_uris=tuple(map(str, listed)) if isinstance(listed, list) else (),
        callback_url=str(one.get("callback_url", "")),
    )
