"""What the city says of itself over HTTP: its registry, its institutions, what its credit bureau knows."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import httpx2

from xinyidai.access.rules import OrganisationKind

SECONDS: Final = 60
PAGE: Final = 500
MAX_PAGES: Final = 1_000
Terms = Mapping[str, object]


@dataclass(frozen=True)
class Firm:
    """A firm as the registry shows it."""

    credit_code: str
    name: str
    kind: OrganisationKind
    region_code: str
    industry_code: str
    established_on: date
    staff: int
    has_earlier_loan: bool


@dataclass(frozen=True)
class Institution:
    """A bank, fund, guarantor, agency or regulator; banks have a product and mostly an agreement."""

    credit_code: str
    name: str
    kind: OrganisationKind
    region_code: str
    duty: str
    product: Terms | None
    agreement: Terms | None


class CityReader:
    """One kept connection to the city."""

    def __init__(self, url: str, token: str) -> None:
        self._client = httpx2.Client(
            base_url=url, timeout=SECONDS, trust_env=False, headers={"Authorization": f"Bearer {token}"}
        )

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def firms(self) -> list[Firm]:
        """Return the whole registry by credit code."""
        found: list[Firm] = []
        after = ""
        for _page in range(MAX_PAGES):
            said = self._json("GET", "/registry/firms", params={"after": after, "limit": str(PAGE)})
            found += [_firm(row) for row in _rows(said, "rows")]
            if said["next_after"] is None:
                break
            after = str(said["next_after"])
        return found

    def institutions(self) -> list[Institution]:
        """Return every institution, banks first."""
        said = self._json("GET", "/registry/institutions")
        return [_institution(row) for row in (*_rows(said, "banks"), *_rows(said, "institutions"))]

    def outcomes(self, known_by: date, client_id: str, client_secret: str) -> str:
        """Return what the credit bureau knew on a day of earlier loans, as CSV."""
        answer = self._client.get(
            "/credit-history/outcomes", params={"known_by": known_by.isoformat()}, auth=(client_id, client_secret)
        )
        answer.raise_for_status()
        return answer.text

    def benefits_key(self) -> str:
        """Return the key that the office of the daily files signs with: Ed25519, in base64."""
        return str(self._json("GET", "/benefits/key")["public_key"])

    def read_keys(self) -> None:
        """Let the city read its file again."""
        self._json("POST", "/keys")

    def tell_clock(self, act: str, **fields: object) -> None:
        """Tell the clock."""
        self._json("POST", "/clock", body={"act": act, **fields})

    def act(self, now: datetime) -> Mapping[str, int]:
        """Let everybody act once; return what they did, by kind."""
        said = self._json("POST", "/act", body={"business_at": now.isoformat()})
        counted = said["by_kind"]
        assert isinstance(counted, dict), "acts are counted by kind"
        return {str(kind): int(count) for kind, count in counted.items()}

    def _json(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: object = None
    ) -> dict[str, object]:
        answer = self._client.request(method, path, params=params, json=body)
        answer.raise_for_status()
        found: dict[str, object] = answer.json()
        return found


def _rows(said: Mapping[str, object], name: str) -> list[Mapping[str, object]]:
    found = said[name]
    assert isinstance(found, list), "a list of rows"
    return found


def _firm(row: Mapping[str, object]) -> Firm:
    return Firm(
        credit_code=str(row["credit_code"]),
        name=str(row["name"]),
        kind=OrganisationKind(str(row["kind"])),
        region_code=str(row["region_code"]),
        industry_code=str(row["industry_code"]),
        established_on=date.fromisoformat(str(row["established_on"])),
        staff=int(str(row["staff"])),
        has_earlier_loan=bool(row["has_earlier_loan"]),
    )


def _institution(row: Mapping[str, object]) -> Institution:
    product, agreement = row.get("product"), row.get("agreement")
    return Institution(
        credit_code=str(row["credit_code"]),
        name=str(row["name"]),
        kind=OrganisationKind(str(row["kind"])),
        region_code=str(row["region_code"]),
        duty=str(row.get("duty", "")),
        product=product if isinstance(product, dict) else None,
        agreement=agreement if isinstance(agreement, dict) else None,
    )
