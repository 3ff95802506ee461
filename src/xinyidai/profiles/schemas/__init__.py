"""Profiles on the wire."""

from collections.abc import Mapping
from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

from xinyidai.profiles.rules.readings import (
    IndicatorText,
    Lineage,
    Measure,
    Reading,
    in_words_en,
    in_words_zh,
)
from xinyidai.profiles.rules.record_readings import ProfileView, RecordReading, RecordSource, RecordText

_READING: JsonDict = {
    "code": "void_rate_sales",
    "name_zh": "销项作废率",
    "name_en": "Void rate of sales",
    "measure": "ppm",
    "value": 12_500,
    "value_zh": "1.3 %",
    "value_en": "1.3 %",
}
_RECORD: JsonDict = {
    "code": "insured_headcount",
    "item": "social_insurance",
    "name_zh": "参保人数",
    "name_en": "Insured headcount",
    "measure": "count",
    "value": 12,
    "value_zh": "12",
    "value_en": "12",
    "source": "statement",
    "provider_id": "01976f2c-2222-7c55-9a53-0c7d0a5f2b11",
    "method_version": "hrss-2025.1",
    "as_of_on": "2025-06-16",
    "statement_id": "01976f2c-8888-7c55-9a53-0c7d0a5f2b11",
}
_RECORD_INDICATOR: JsonDict = {
    "code": "insured_headcount",
    "items": ["social_insurance"],
    "name_zh": "参保人数",
    "name_en": "Insured headcount",
    "measure": "count",
    "least_months": 1,
    "definition_zh": "最近一个有记录月份的参保人数。",
    "definition_en": "People insured in the newest month with a record.",
}
_LINEAGE: JsonDict = {"invoice_rows": 2_586, "first_issued_on": "2022-06-16", "last_issued_on": "2025-06-15"}
_INDICATOR: JsonDict = {
    "code": "void_rate_sales",
    "name_zh": "销项作废率",
    "name_en": "Void rate of sales",
    "measure": "ppm",
    "is_mutable": True,
    "description": "Void sales invoices over all sales invoices of the window.",
}


class ReadingOut(BaseModel):
    """One indicator; `value` is an integer of its measure, null where there is no data."""

    model_config = ConfigDict(json_schema_extra={"example": _READING})

    code: str
    name_zh: str
    name_en: str
    measure: Measure
    value: int | None
    value_zh: str
    value_en: str

    @classmethod
    def of(cls, reading: Reading, text: IndicatorText) -> "ReadingOut":
        """Build from a reading and its indicator's text."""
        return cls(
            code=reading.code,
            name_zh=text.name_zh,
            name_en=text.name_en,
            measure=reading.measure,
            value=reading.value,
            value_zh=in_words_zh(reading.measure, reading.value),
            value_en=in_words_en(reading.measure, reading.value),
        )


class LineageOut(BaseModel):
    """The invoices behind a profile, all before its moment; indicators look at the last 36 months of them."""

    model_config = ConfigDict(json_schema_extra={"example": _LINEAGE})

    invoice_rows: int
    first_issued_on: date | None
    last_issued_on: date | None

    @classmethod
    def of(cls, lineage: Lineage) -> "LineageOut":
        """Build from a lineage."""
        return cls(
            invoice_rows=lineage.rows,
            first_issued_on=lineage.first_issued_on,
            last_issued_on=lineage.last_issued_on,
        )


class RecordReadingOut(BaseModel):
    """One indicator from records. `source` says on what it rests; a statement says whose, how and as of which day."""

    model_config = ConfigDict(json_schema_extra={"example": _RECORD})

    code: str
    item: str
    name_zh: str
    name_en: str
    measure: Measure
    value: int | None
    value_zh: str
    value_en: str
    source: RecordSource
    provider_id: UUID | None
    method_version: str | None
    as_of_on: date | None
    statement_id: UUID | None

    @classmethod
    def of(cls, reading: RecordReading, text: RecordText) -> "RecordReadingOut":
        """Build from a reading and its indicator's text."""
        return cls(
            code=reading.code,
            item=reading.item_code,
            name_zh=text.name_zh,
            name_en=text.name_en,
            measure=reading.measure,
            value=reading.value,
            value_zh=in_words_zh(reading.measure, reading.value),
            value_en=in_words_en(reading.measure, reading.value),
            source=reading.source,
            provider_id=reading.provider_id,
            method_version=reading.method_version,
            as_of_on=reading.as_of_on,
            statement_id=reading.statement_id,
        )


class ProfileOut(BaseModel):
    """A profile: what was known at `known_at` of the time before `as_of`. Project-defined indicators, not official."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "id": "01976f2c-8a1e-7c55-9a53-0c7d0a5f2b11",
                "firm_id": "01976f2c-1111-7c55-9a53-0c7d0a5f2b11",
                "as_of": "2025-06-15T16:00:00Z",
                "known_at": "2025-06-16T04:00:00Z",
                "feature_version": "invoices-7c1d0a5f2b11",
                "lineage": _LINEAGE,
                "indicators": [_READING],
                "records": [_RECORD],
            }
        }
    )

    id: UUID
    firm_id: UUID
    as_of: datetime
    known_at: datetime
    feature_version: str
    lineage: LineageOut
    indicators: list[ReadingOut]
    records: list[RecordReadingOut]

    @classmethod
    def of(
        cls, shown: ProfileView, texts: Mapping[str, IndicatorText], record_texts: Mapping[str, RecordText]
    ) -> "ProfileOut":
        """Build from a profile and the texts of its indicators, by code."""
        return cls(
            id=shown.id,
            firm_id=shown.firm_id,
            as_of=shown.as_of,
            known_at=shown.known_at,
            feature_version=shown.feature_version,
            lineage=LineageOut.of(shown.lineage),
            indicators=[ReadingOut.of(reading, texts[reading.code]) for reading in shown.readings],
            records=[RecordReadingOut.of(reading, record_texts[reading.code]) for reading in shown.records],
        )


class IndicatorOut(BaseModel):
    """What an indicator is called and means."""

    model_config = ConfigDict(json_schema_extra={"example": _INDICATOR})

    code: str
    name_zh: str
    name_en: str
    measure: Measure
    is_mutable: bool
    description: str

    @classmethod
    def of(cls, text: IndicatorText) -> "IndicatorOut":
        """Build from an indicator's text."""
        return cls(
            code=text.code,
            name_zh=text.name_zh,
            name_en=text.name_en,
            measure=text.measure,
            is_mutable=text.is_mutable,
            description=text.description,
        )


class RecordIndicatorOut(BaseModel):
    """What an indicator from records is called and means; without `least_months` of records there is no data."""

    model_config = ConfigDict(json_schema_extra={"example": _RECORD_INDICATOR})

    code: str
    items: list[str]
    name_zh: str
    name_en: str
    measure: Measure
    least_months: int
    definition_zh: str
    definition_en: str

    @classmethod
    def of(cls, text: RecordText) -> "RecordIndicatorOut":
        """Build from an indicator's text."""
        return cls(
            code=text.code,
            items=list(text.item_codes),
            name_zh=text.name_zh,
            name_en=text.name_en,
            measure=text.measure,
            least_months=text.least_months,
            definition_zh=text.definition_zh,
            definition_en=text.definition_en,
        )


class IndicatorsOut(BaseModel):
    """The catalogues of indicators, from invoices and from records, each with its version."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "version": "invoices-7c1d0a5f2b11",
                "indicators": [_INDICATOR],
                "record_version": "records-7c1d0a5f2b11",
                "record_indicators": [_RECORD_INDICATOR],
            }
        }
    )

    version: str
    indicators: list[IndicatorOut]
    record_version: str
    record_indicators: list[RecordIndicatorOut]

    @classmethod
    def of(
        cls, version: str, texts: tuple[IndicatorText, ...], record_version: str, record_texts: tuple[RecordText, ...]
    ) -> "IndicatorsOut":
        """Build from the texts."""
        return cls(
            version=version,
            indicators=[IndicatorOut.of(text) for text in texts],
            record_version=record_version,
            record_indicators=[RecordIndicatorOut.of(text) for text in record_texts],
        )
