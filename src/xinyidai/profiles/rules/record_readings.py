"""What indicators from records read, beside those from invoices: of which item, and on whose word. Pure."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from xinyidai.profiles.rules.readings import Lineage, Measure, Reading

RECORD_PREFIX: Final = "record."
"""Before the code of such an indicator where it stands beside those from invoices."""
MOST_AGE_DAYS: Final = 92
"""How many days before a profile's moment a derived value may be as of: a quarter. An older one is no data."""


class RecordSource(StrEnum):
    """On what a reading rests: records that are held here, or a provider's signed statement."""

    RECORDS = "records"
    STATEMENT = "statement"


@dataclass(frozen=True)
class RecordText:
    """One indicator as it is explained to people. `item_codes` are the items it is computed from, its own first."""

    code: str
    item_codes: tuple[str, ...]
    name_zh: str
    name_en: str
    measure: Measure
    least_months: int
    definition_zh: str
    definition_en: str


@dataclass(frozen=True)
class RecordReading:
    """The value of one indicator; None is "no data" and never zero.

    A statement's reading says whose word it is, by which version of which method, as of which day, and names it.
    """

    code: str
    item_code: str
    measure: Measure
    value: int | None
    source: RecordSource
    provider_id: UUID | None = None
    method_version: str | None = None
    as_of_on: date | None = None
    statement_id: UUID | None = None


@dataclass(frozen=True)
class ProfileView:
    """A profile as shown: readings in the order of the indicators' catalogue, their lineage, and those from records."""

    id: UUID
    firm_id: UUID
    as_of: datetime
    known_at: datetime
    feature_version: str
    readings: tuple[Reading, ...]
    lineage: Lineage
    records: tuple[RecordReading, ...]
