"""What the platform's seeding wrote down for the city (city.toml), and where the city keeps its own things."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from city.clock import Mode

FIRM_KINDS = ("firm", "sole_trader")


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
class TaxClient:
    """Who may ask the tax provider for tokens, and where a person is sent back to."""

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uris: tuple[str, ...]


@dataclass(frozen=True)
class CityFile:
    """All of city.toml."""

    seed: int
    mode: Mode
    platform_urls: tuple[str, ...]
    """Addresses of one platform: `platform_url`, and where it is served as well, `also_at`."""
    tax: TaxClient | None
    actors: Mapping[str, Actor]

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
        return CityFile(seed, mode, (), None, {})
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        tax = found.get("tax")
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
            tax=TaxClient(str(tax["client_id"]), str(tax["client_secret"]), tuple(map(str, tax["redirect_uris"])))
            if tax
            else None,
            actors={actor.credit_code: actor for actor in actors},
        )
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        # Names of missing fields only: a decoder's message could quote a line that holds a key.
        raise ValueError(f"city.toml cannot be read: {type(error).__name__}") from None
