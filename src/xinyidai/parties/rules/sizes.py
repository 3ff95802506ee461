"""Large, medium, small, micro: the size classes of 工信部联企业〔2011〕300号 with the statistical version of 2017."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum


class SizeClass(StrEnum):
    """How large a firm is; UNKNOWN when a figure it depends on is missing or no standard covers its industry."""

    LARGE = "large"
    MEDIUM = "medium"
    SMALL = "small"
    MICRO = "micro"
    UNKNOWN = "unknown"


class SizeIndustry(StrEnum):
    """The standard's own industries, which cut GB/T 4754 differently."""

    AGRICULTURE = "agriculture"
    MANUFACTURING = "manufacturing"
    CONSTRUCTION = "construction"
    WHOLESALE = "wholesale"
    RETAIL = "retail"
    TRANSPORT = "transport"
    STORAGE = "storage"
    POST = "post"
    HOTELS = "hotels"
    CATERING = "catering"
    INFORMATION_TRANSMISSION = "information_transmission"
    SOFTWARE = "software"
    REAL_ESTATE_DEVELOPMENT = "real_estate_development"
    PROPERTY_MANAGEMENT = "property_management"
    LEASING_AND_BUSINESS = "leasing_and_business"
    OTHER = "other"


class Measure(StrEnum):
    """What size is measured by."""

    STAFF = "staff"
    REVENUE = "revenue_fen"
    ASSETS = "assets_fen"


@dataclass(frozen=True)
class SizeBounds:
    """The least staff, revenue or assets of a large, a medium and a small firm."""

    large_from: int
    medium_from: int
    small_from: int

    def least(self, size: SizeClass) -> int:
        """Return the lower bound of a class; micro has none."""
        return {
            SizeClass.LARGE: self.large_from,
            SizeClass.MEDIUM: self.medium_from,
            SizeClass.SMALL: self.small_from,
        }.get(size, 0)


BoundsOf = Mapping[SizeIndustry, Mapping[Measure, SizeBounds]]


@dataclass(frozen=True)
class SizeTable:
    """The bounds in force, since when, and whether somebody has compared them with the issuer's text."""

    bounds: BoundsOf
    in_force_since: date | None
    is_verified: bool


@dataclass(frozen=True)
class SizeVerdict:
    """A firm's class, what it was judged by, and what was missing; `is_verified` is the table's."""

    size: SizeClass
    size_industry: SizeIndustry | None
    missing: tuple[Measure, ...]
    in_force_since: date | None
    is_verified: bool


_BY_SECTION = {
    "A": SizeIndustry.AGRICULTURE,
    "B": SizeIndustry.MANUFACTURING,
    "C": SizeIndustry.MANUFACTURING,
    "D": SizeIndustry.MANUFACTURING,
    "E": SizeIndustry.CONSTRUCTION,
    "L": SizeIndustry.LEASING_AND_BUSINESS,
    "M": SizeIndustry.OTHER,
    "N": SizeIndustry.OTHER,
    "O": SizeIndustry.OTHER,
    "R": SizeIndustry.OTHER,
}
_BY_CODE = {
    "F51": SizeIndustry.WHOLESALE,
    "F52": SizeIndustry.RETAIL,
    "G54": SizeIndustry.TRANSPORT,
    "G55": SizeIndustry.TRANSPORT,
    "G56": SizeIndustry.TRANSPORT,
    "G57": SizeIndustry.TRANSPORT,
    "G58": SizeIndustry.TRANSPORT,
    "G59": SizeIndustry.STORAGE,
    "G60": SizeIndustry.POST,
    "H61": SizeIndustry.HOTELS,
    "H62": SizeIndustry.CATERING,
    "I63": SizeIndustry.INFORMATION_TRANSMISSION,
    "I64": SizeIndustry.INFORMATION_TRANSMISSION,
    "I65": SizeIndustry.SOFTWARE,
    "K701": SizeIndustry.REAL_ESTATE_DEVELOPMENT,
    "K702": SizeIndustry.PROPERTY_MANAGEMENT,
    "K703": SizeIndustry.OTHER,
    "K704": SizeIndustry.OTHER,
    "K709": SizeIndustry.OTHER,
    "Q85": SizeIndustry.OTHER,
}


def size_industry(industry_code: str) -> SizeIndustry | None:
    """Return the standard's industry for a GB/T 4754 code such as ``"F52"``.

    None where the standard has no row (finance has its own; railways, education, health and public bodies none) or the
    code is too short to tell, as ``"F"`` is neither wholesale nor retail.
    """
    if industry_code[:1] in _BY_SECTION:
        return _BY_SECTION[industry_code[:1]]
    return _BY_CODE.get(industry_code[:4]) or _BY_CODE.get(industry_code[:3])


def missing_measures(
    industry: SizeIndustry, figures: Mapping[Measure, int | None], bounds: BoundsOf
) -> tuple[Measure, ...]:
    """Return the measures that the industry is judged by and the firm has not declared."""
    return tuple(measure for measure in bounds.get(industry, {}) if figures.get(measure) is None)


def size_class(
    industry_class: SizeIndustry,
    staff: int | None,
    revenue_fen: int | None,
    assets_fen: int | None,
    bounds: BoundsOf,
) -> SizeClass:
    """Return the highest class all of whose lower bounds are met; a firm below one of them is one class down.

    Parameters
    ----------
    staff, revenue_fen, assets_fen : int or None
        None is not zero: a missing figure that the industry is judged by makes the class UNKNOWN.
    bounds : mapping
        The bounds in force, by industry and measure; a measure without bounds is not looked at.
    """
    figures = {Measure.STAFF: staff, Measure.REVENUE: revenue_fen, Measure.ASSETS: assets_fen}
    judged = bounds.get(industry_class, {})
    if not judged or missing_measures(industry_class, figures, bounds):
        return SizeClass.UNKNOWN
    for size in (SizeClass.LARGE, SizeClass.MEDIUM, SizeClass.SMALL):
        if all((figures[measure] or 0) >= one.least(size) for measure, one in judged.items()):
            return size
    return SizeClass.MICRO


def size_verdict(industry_code: str | None, figures: Mapping[Measure, int | None], table: SizeTable) -> SizeVerdict:
    """Judge a firm by a table, and say by what and what was missing."""
    industry = size_industry(industry_code) if industry_code else None
    if industry is None:
        return SizeVerdict(SizeClass.UNKNOWN, None, (), table.in_force_since, table.is_verified)
    size = size_class(industry, figures[Measure.STAFF], figures[Measure.REVENUE], figures[Measure.ASSETS], table.bounds)
    missing = missing_measures(industry, figures, table.bounds)
    return SizeVerdict(size, industry, missing, table.in_force_since, table.is_verified)
