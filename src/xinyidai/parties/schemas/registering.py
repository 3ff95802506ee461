"""Parties on the wire."""

from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel
from pydantic.config import JsonDict

from xinyidai.access.rules import OrganisationKind
from xinyidai.foundation.paging import Page
from xinyidai.parties.rules import (
    PartyView,
    SizeClass,
    SizeVerdict,
)
from xinyidai.parties.schemas.shapes import (
    CREDIT_CODE,
    ID,
    USER_ID,
    Amount,
    Code,
    Staff,
    Text,
    Typed,
    with_example,
)


class OwnerIn(BaseModel):
    """The person who registers a firm and will own its account."""

    model_config = with_example(
        {"email": "owner@example.com", "display_name": "王小明", "password": "a long pass phrase"}
    )

    email: Typed
    display_name: Text
    password: Typed


_FIRM_IN: JsonDict = {
    "kind": "firm",
    "name": "重庆小面食品有限公司",
    "credit_code": CREDIT_CODE,
    "region_code": "500103",
    "industry_code": "C14",
    "established_on": "2018-03-01",
    "staff": 12,
    "revenue_fen": 480_000_000,
    "owner": {"email": "owner@example.com", "display_name": "王小明", "password": "a long pass phrase"},
}


class FirmIn(BaseModel):
    """A firm or sole trader that registers itself. Without `owner` the person signed in becomes its owner."""

    model_config = with_example(_FIRM_IN)

    kind: OrganisationKind
    name: Text
    credit_code: Code
    region_code: Code
    industry_code: Code | None = None
    established_on: date | None = None
    staff: Staff | None = None
    revenue_fen: Amount | None = None
    assets_fen: Amount | None = None
    owner: OwnerIn | None = None


class OrganisationIn(BaseModel):
    """A lender, guarantor, fund, agency or regulator that the operator registers."""

    model_config = with_example(
        {"kind": "lender", "name": "重庆示例银行股份有限公司", "credit_code": CREDIT_CODE, "region_code": "500103"}
    )

    kind: OrganisationKind
    name: Text
    credit_code: Code | None = None
    region_code: Code | None = None


class MoveIn(BaseModel):
    """Where a party sits from a day on."""

    model_config = with_example({"region_code": "500106", "valid_from": "2025-06-01"})

    region_code: Code
    valid_from: date


class SizeIn(BaseModel):
    """What a firm says of its size from a day on; what is left out is unknown, not zero."""

    model_config = with_example({"staff": 12, "revenue_fen": 480_000_000, "valid_from": "2025-01-01"})

    staff: Staff | None = None
    revenue_fen: Amount | None = None
    assets_fen: Amount | None = None
    valid_from: date


_PARTY: JsonDict = {
    "id": ID,
    "kind": "firm",
    "name": "重庆小面食品有限公司",
    "credit_code": CREDIT_CODE,
    "region_code": "500103",
    "industry_code": "C14",
    "established_on": "2018-03-01",
    "staff": None,
    "is_simulated": False,
    "registered_at": "2025-06-16T04:00:00Z",
}


class PartyOut(BaseModel):
    """What the registry shows of a party; `staff` only to the party itself."""

    model_config = with_example(_PARTY)

    id: UUID
    kind: OrganisationKind
    name: str
    credit_code: str | None
    region_code: str | None
    industry_code: str | None
    established_on: date | None
    staff: int | None
    is_simulated: bool
    registered_at: datetime

    @classmethod
    def of(cls, view: PartyView) -> "PartyOut":
        """Build from a party."""
        return cls(
            id=view.id,
            kind=view.kind,
            name=view.name,
            credit_code=view.credit_code,
            region_code=view.region_code,
            industry_code=view.industry_code,
            established_on=view.established_on,
            staff=view.staff,
            is_simulated=view.is_simulated,
            registered_at=view.registered_at,
        )


class PartyPageOut(BaseModel):
    """A page of parties and the cursor of the next."""

    model_config = with_example({"parties": [_PARTY], "next_cursor": None})

    parties: list[PartyOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[PartyView]) -> "PartyPageOut":
        """Build from a page."""
        return cls(parties=[PartyOut.of(view) for view in page.rows], next_cursor=page.next_cursor)


class RegisteredOut(BaseModel):
    """The party registered and, for a firm, its owner."""

    model_config = with_example({"party_id": ID, "user_id": USER_ID})

    party_id: UUID
    user_id: UUID | None


class SizeOut(BaseModel):
    """The viewer's own size class, by which row of the standard, and which figures are missing."""

    model_config = with_example(
        {
            "size": "micro",
            "size_industry": "retail",
            "missing": [],
            "in_force_since": "2011-06-18",
            "is_verified": False,
        }
    )

    size: SizeClass
    size_industry: str | None
    missing: list[str]
    in_force_since: date | None
    is_verified: bool

    @classmethod
    def of(cls, verdict: SizeVerdict) -> "SizeOut":
        """Build from a verdict."""
        return cls(
            size=verdict.size,
            size_industry=verdict.size_industry,
            missing=list(verdict.missing),
            in_force_since=verdict.in_force_since,
            is_verified=verdict.is_verified,
        )
