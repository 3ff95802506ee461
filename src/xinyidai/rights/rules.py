"""The domain of a firm's rights over its data: requests, what stays and why, and the archive's form. Pure."""

import csv
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, fields, is_dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Final, NewType
from uuid import UUID

from xinyidai.foundation.canonical import Json
from xinyidai.foundation.errors import Refusal
from xinyidai.sources.rules.keeping import KeptFor

RequestId = NewType("RequestId", UUID)
LINK_LASTS: Final = timedelta(days=7)
MAX_ROWS_A_FILE: Final = 100_000
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_FIRST_DAY: Final = (1980, 1, 1, 0, 0, 0)
"""The same archive has the same bytes: no clock of the machine gets in."""

Cell = str | int | bool | date | datetime | UUID | None


class RequestKind(StrEnum):
    """What a firm may ask for."""

    EXPORT = "export"
    DELETION = "deletion"


class RequestState(StrEnum):
    """The life of a request; only an export expires."""

    ASKED = "asked"
    DONE = "done"
    EXPIRED = "expired"


class AskedAlready(Refusal):
    """A request of the same kind is being carried out."""

    code = "right_asked_already"
    title_zh = "同类请求正在处理中"
    title_en = "A request of this kind is being carried out"


class ArchiveGone(Refusal):
    """The archive is not made yet, or its link has ended and its bytes are destroyed."""

    code = "archive_gone"
    status = 410
    title_zh = "下载文件尚未生成或已过期销毁"
    title_en = "The archive is not made yet, or has ended and is destroyed"


@dataclass(frozen=True)
class Holding:
    """What is held of an item: how many facts, and why they stay; where nothing holds them, a deletion takes them.

    `until` is None where nobody can say yet, as of a running loan.
    """

    item_code: str
    facts: int
    reason: KeptFor | None
    until: datetime | None

    def told(self) -> dict[str, Json]:
        """Return it as kept with a request."""
        until = None if self.until is None else self.until.isoformat()
        return {
            "item_code": self.item_code,
            "facts": self.facts,
            "reason": None if self.reason is None else self.reason.value,
            "until": until,
        }


@dataclass(frozen=True)
class RequestView:
    """A request as its firm sees it. `stays` is told of a deletion that is done, `byte_count` of an export."""

    id: RequestId
    firm_id: UUID
    kind: RequestKind
    state: RequestState
    asked_at: datetime
    done_at: datetime | None
    expires_at: datetime | None
    byte_count: int | None
    facts_deleted: int | None
    stays: tuple[Holding, ...]


@dataclass(frozen=True)
class Sheet:
    """One table of the archive; `is_cut` where there are more rows than MAX_ROWS_A_FILE."""

    name: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[Cell]]
    is_cut: bool = False


def together(holdings: Sequence[Holding]) -> tuple[Holding, ...]:
    """Add holdings of one item and reason up, each until the last of its moments; in the order of items."""
    found: dict[tuple[str, str], Holding] = {}
    for one in holdings:
        key = (one.item_code, "" if one.reason is None else one.reason.value)
        before = found.get(key)
        if before is not None:
            ends = [before.until, one.until]
            until = None if None in ends else max(end for end in ends if end is not None)
            one = Holding(one.item_code, before.facts + one.facts, one.reason, until)
        found[key] = one
    return tuple(found[key] for key in sorted(found) if found[key].facts)


def told(value: object) -> Json:
    """Return a view, or several, as the archive tells them: fields by name, ids and codes as text, moments in ISO 8601.

    Raises
    ------
    TypeError
        Something inside has no one text: a float.
    """
    if isinstance(value, Enum):
        return str(value.value)
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str | UUID | Decimal):
        return str(value)
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {str(key): told(inner) for key, inner in value.items()}
    if isinstance(value, Sequence | AbstractSet):
        return [told(inner) for inner in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: told(getattr(value, field.name)) for field in fields(value)}
    raise TypeError(f"{type(value).__name__} has no text of its own")


def pack(sheets: Sequence[Sheet], documents: Mapping[str, Json], *, made_at: datetime) -> bytes:
    """Return a ZIP of one CSV a sheet and one JSON a document, with a list of them and their counts first.

    Texts that a spreadsheet would take for a formula get an apostrophe before them (OWASP, CSV injection).
    """
    manifest: dict[str, Json] = {
        "made_at": made_at.isoformat(),
        "files": [
            *({"name": f"{one.name}.csv", "rows": len(one.rows), "is_cut": one.is_cut} for one in sheets),
            *({"name": f"{name}.json", "rows": None, "is_cut": False} for name in documents),
        ],
    }
    files = {"manifest.json": _json(manifest)}
    files |= {f"{one.name}.csv": _csv(one) for one in sheets}
    files |= {f"{name}.json": _json(told) for name, told in documents.items()}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _FIRST_DAY)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return packed.getvalue()


def _json(told: Json) -> bytes:
    return json.dumps(told, ensure_ascii=False, indent=1, sort_keys=True).encode()


def _csv(sheet: Sheet) -> bytes:
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(sheet.columns)
    writer.writerows([_cell(cell) for cell in row] for row in sheet.rows)
    # A mark at the beginning: without it spreadsheets read Chinese text as something else.
    return b"\xef\xbb\xbf" + written.getvalue().encode()


def _cell(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, date | datetime):
        return cell.isoformat()
    text = str(cell)
    return f"'{text}" if isinstance(cell, str) and text.startswith(_FORMULA) else text
