"""Regions, industries and legal exceptions on the wire."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, Field
from pydantic.config import JsonDict

from xinyidai.parties.rules import (
    CodeExceptionView,
    IndustryView,
    RegionKind,
    RegionView,
    Successor,
)
from xinyidai.parties.schemas.shapes import ID, USER_ID, Code, with_example


class CodeExceptionIn(BaseModel):
    """A legal credit code whose check digit fails, and how that is known."""

    model_config = with_example(
        {"credit_code": "91350100M0001TGQXM", "reason": "business licence seen, copy no. 12 in the file of 2025-06-16"}
    )

    credit_code: Code
    reason: Annotated[str, Field(min_length=10, max_length=500)]


_EXCEPTION: JsonDict = {
    "id": ID,
    "credit_code": "91500000000000000X",
    "reason": "营业执照原件与登记机关核对一致",
    "proposed_by": USER_ID,
    "proposed_at": "2025-06-16T04:00:00Z",
}


class CodeExceptionOut(BaseModel):
    """A legal exception that waits for a second person."""

    model_config = with_example(_EXCEPTION)

    id: UUID
    credit_code: str
    reason: str
    proposed_by: UUID
    proposed_at: datetime

    @classmethod
    def of(cls, view: CodeExceptionView) -> "CodeExceptionOut":
        """Build from an exception."""
        return cls(
            id=view.id,
            credit_code=view.credit_code,
            reason=view.reason,
            proposed_by=view.proposed_by,
            proposed_at=view.proposed_at,
        )


class OfficialCodeIn(BaseModel):
    """The GB/T 2260 code of a region that was known by a local code only."""

    model_config = with_example({"gb_code": "500117", "note": "official list of 2026-06"})

    gb_code: Annotated[str, Field(min_length=6, max_length=6)]
    note: Annotated[str, Field(max_length=500)] = ""


class CreatedOut(BaseModel):
    """The id of what was made."""

    model_config = with_example({"id": USER_ID})

    id: UUID


_REGION: JsonDict = {
    "code": "CQ-LJ",
    "name_zh": "两江新区",
    "name_en": "Liangjiang New Area",
    "kind": "district",
    "gb_code": None,
    "valid_from": "2025-11-06",
    "valid_to": None,
    "note": "",
}
_SUCCESSOR: JsonDict = {
    "from_code": "500105",
    "to_code": "CQ-LJ",
    "changed_on": "2025-11-06",
    "share_ppm": 1_000_000,
    "note": "all of it",
}


class RegionOut(BaseModel):
    """A district, county or zone; `gb_code` is null where no GB/T 2260 code is known."""

    model_config = with_example(_REGION)

    code: str
    name_zh: str
    name_en: str
    kind: RegionKind
    gb_code: str | None
    valid_from: date
    valid_to: date | None
    note: str

    @classmethod
    def of(cls, view: RegionView) -> "RegionOut":
        """Build from a region."""
        return cls(
            code=view.code,
            name_zh=view.name_zh,
            name_en=view.name_en,
            kind=view.kind,
            gb_code=view.gb_code,
            valid_from=view.valid_from,
            valid_to=view.valid_to,
            note=view.note,
        )


class SuccessorOut(BaseModel):
    """Where a region's land went; `share_ppm` is null where no source gives it."""

    model_config = with_example(_SUCCESSOR)

    from_code: str
    to_code: str
    changed_on: date
    share_ppm: int | None
    note: str

    @classmethod
    def of(cls, one: Successor) -> "SuccessorOut":
        """Build from a successor."""
        return cls(
            from_code=one.from_code,
            to_code=one.to_code,
            changed_on=one.changed_on,
            share_ppm=one.share_ppm,
            note=one.note,
        )


class RegionsOut(BaseModel):
    """The districts and counties of a day, and every known change."""

    model_config = with_example({"on": "2025-11-06", "regions": [_REGION], "successors": [_SUCCESSOR]})

    on: date
    regions: list[RegionOut]
    successors: list[SuccessorOut]


class IndustryOut(BaseModel):
    """A section of GB/T 4754 and its divisions."""

    model_config = with_example(
        {"code": "C", "name_zh": "制造业", "name_en": "Manufacturing", "first_division": 13, "last_division": 43}
    )

    code: str
    name_zh: str
    name_en: str
    first_division: int
    last_division: int

    @classmethod
    def of(cls, view: IndustryView) -> "IndustryOut":
        """Build from a section."""
        return cls(
            code=view.code,
            name_zh=view.name_zh,
            name_en=view.name_en,
            first_division=view.first_division,
            last_division=view.last_division,
        )
