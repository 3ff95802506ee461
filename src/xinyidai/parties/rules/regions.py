"""Districts, counties and zones as they stand on a day, what became of those that ended, and industry sections."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class RegionKind(StrEnum):
    """What a region is. A zone is a reporting unit inside districts and counts as none."""

    DISTRICT = "district"
    COUNTY = "county"
    AUTONOMOUS_COUNTY = "autonomous_county"
    ZONE = "zone"


WHOLE_PPM = 1_000_000


@dataclass(frozen=True)
class RegionView:
    """A region from `valid_from` to before `valid_to`. `gb_code` is None where no GB/T 2260 code is known."""

    code: str
    name_zh: str
    name_en: str
    kind: RegionKind
    gb_code: str | None
    valid_from: date
    valid_to: date | None
    note: str

    @property
    def is_unit(self) -> bool:
        """Say whether it counts among the districts and counties."""
        return self.kind is not RegionKind.ZONE


@dataclass(frozen=True)
class Successor:
    """Part of a region went to `to_code` on a day; `share_ppm` is None where no source gives the share."""

    from_code: str
    to_code: str
    changed_on: date
    share_ppm: int | None
    note: str


@dataclass(frozen=True)
class RegionOnDay:
    """Which region a code stands for on a day, and if that cannot be told without an address, the candidates."""

    code: str | None
    candidates: tuple[str, ...]


def region_on_day(code: str, successors: tuple[Successor, ...], *, day: date) -> RegionOnDay:
    """Follow a region's code to a day: certain only where each step went whole to one successor.

    A firm of a region that was divided must say itself where it sits; its share is not guessed.
    """
    steps = sorted(
        (one for one in successors if one.from_code == code and one.changed_on <= day), key=lambda one: one.changed_on
    )
    if not steps:
        return RegionOnDay(code, (code,))
    first = [one for one in steps if one.changed_on == steps[0].changed_on]
    if len(first) == 1 and first[0].share_ppm == WHOLE_PPM:
        later = tuple(one for one in successors if one.changed_on > first[0].changed_on)
        return region_on_day(first[0].to_code, later, day=day)
    return RegionOnDay(None, tuple(sorted(one.to_code for one in first)))


@dataclass(frozen=True)
class IndustryView:
    """A section (门类) of GB/T 4754 and the span of its divisions (大类)."""

    code: str
    name_zh: str
    name_en: str
    first_division: int
    last_division: int

    def holds(self, industry_code: str) -> bool:
        """Say whether a code of the section letter and none, two, three or four digits is of this section."""
        letter, digits = industry_code[:1], industry_code[1:]
        if letter != self.code or len(digits) not in {0, 2, 3, 4}:
            return False
        if not digits:
            return True
        return digits.isascii() and digits.isdigit() and self.first_division <= int(digits[:2]) <= self.last_division
