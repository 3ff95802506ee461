"""Indicators from records as the profile pages show them: by item, and on whose word."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.catalogue import queries as catalogue
from xinyidai.foundation.clock import business_date
from xinyidai.profiles import model
from xinyidai.profiles.rules.readings import in_words_en, in_words_zh
from xinyidai.profiles.rules.record_readings import RecordReading, RecordText


@dataclass(frozen=True)
class RecordRow:
    """One indicator with its value in words."""

    text: RecordText
    value_zh: str
    value_en: str
    reading: RecordReading


@dataclass(frozen=True)
class RecordGroup:
    """The indicators of one item."""

    item_code: str
    name_zh: str
    name_en: str
    rows: tuple[RecordRow, ...]


async def record_groups(
    session: AsyncSession, readings: Sequence[RecordReading], *, now: datetime
) -> tuple[RecordGroup, ...]:
    """Return the readings by item, for those items of which something is known."""
    texts = {text.code: text for text in model.record_texts()}
    codes = list(dict.fromkeys(one.item_code for one in readings if one.value is not None))
    items = await catalogue.listed(session, codes, business_date(now)) if codes else {}
    return tuple(
        RecordGroup(
            item_code=code,
            name_zh=items[code].name_zh,
            name_en=items[code].name_en,
            rows=tuple(
                RecordRow(
                    texts[one.code], in_words_zh(one.measure, one.value), in_words_en(one.measure, one.value), one
                )
                for one in readings
                if one.item_code == code
            ),
        )
        for code in codes
    )
