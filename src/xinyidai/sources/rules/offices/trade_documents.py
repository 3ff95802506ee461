"""The customs' documents: XML in GBK about the months of one firm. Pure.

The parser is expat from the standard library, told to refuse rather than to resolve:

- A document type declaration ends the reading. Entities can be declared nowhere else, so none expands: a kilobyte
  cannot become gigabytes, and no external one makes us fetch a file or an address of a stranger's choice.
- The bytes, the depth and the number of elements are bounded before anything is built from them.
- The bytes are decoded here, strictly: expat knows no GBK, and a lenient decoder would turn a cut character into a
  grade that nobody has.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from xinyidai.sources.rules.offices import AnswerFault, AnswerRefused, is_without_decimals

NAME: Final = "customs"
MAX_DOCUMENT_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 3
"""The root, its months, and what a month says."""
MAX_ELEMENTS: Final = 2_000
MOST_MONTHS: Final = 60
_ENCODINGS: Final = frozenset({"gbk", "gb2312"})
_CREDIT_CODE, _MONTH_TAG, _MONTH = "统一社会信用代码", "月度", "所属月份"
_CURRENCY, _UNIT = ("币种", "CNY"), ("单位", "元")
_MAX_FIELD: Final = 400


@dataclass(frozen=True)
class DocumentKind:
    """One item's document: its root, and under which name a delivery has what an element says."""

    item_code: str
    root: str
    amounts: Mapping[str, str]
    others: Mapping[str, str]
    codes: Mapping[str, str] = field(default_factory=dict)


TRADE: Final = DocumentKind(
    "import_export",
    "进出口统计",
    {"出口额": "exported_yuan", "进口额": "imported_yuan"},
    {"海关信用等级": "customs_grade"},
    {"高级认证企业": "advanced", "常规管理企业": "ordinary", "失信企业": "dishonest"},
)
FREIGHT: Final = DocumentKind(
    "logistics", "物流统计", {"运费": "freight_yuan", "仓储货值": "stock_yuan"}, {"运单数": "shipments"}
)
DOCUMENTS: Final = {one.item_code: one for one in (TRADE, FREIGHT)}
"""The kinds by the code of their item."""


def rows_in(document: bytes, kind: DocumentKind, *, credit_code: str) -> list[dict[str, str | None]]:
    """Return the months of a document as rows of a delivery, in its order.

    A grade that is not known goes on as it stands, for the checks to name by row.

    Raises
    ------
    AnswerRefused
        The document as a whole is not believed.
    """
    reading = _Reading(kind, credit_code)
    reading.feed(_text_of(document))
    return reading.rows


def _text_of(document: bytes) -> str:
    if len(document) > MAX_DOCUMENT_BYTES:
        raise AnswerRefused(NAME, AnswerFault.TOO_LARGE, f"{len(document)} bytes")
    try:
        return document.decode("gbk")
    except UnicodeDecodeError as error:
        # A last byte that begins a character is a document cut in its middle, whatever its encoding.
        is_cut = error.end >= len(document)
        fault = AnswerFault.UNREADABLE if is_cut else AnswerFault.ENCODING_WRONG
        raise AnswerRefused(NAME, fault, f"byte {error.start}") from error


class _Reading:
    """What expat calls while it walks through one document."""

    def __init__(self, kind: DocumentKind, credit_code: str) -> None:
        self.rows: list[dict[str, str | None]] = []
        self._kind = kind
        self._credit_code = credit_code
        self._path: list[str] = []
        self._elements = 0
        self._row: dict[str, str | None] = {}
        self._text: list[str] = []

    def feed(self, text: str) -> None:
        """Walk through it."""
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.XmlDeclHandler = self._declared
        parser.StartDoctypeDeclHandler = self._document_type
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text.append
        try:
            # A str: what is declared as its encoding is then looked at by us alone.
            parser.Parse(text, True)
        except expat.ExpatError as error:
            raise AnswerRefused(NAME, AnswerFault.UNREADABLE, f"line {error.lineno}") from error

    def _declared(self, _version: str, encoding: str | None, _standalone: int) -> None:
        if encoding is not None and encoding.lower() not in _ENCODINGS:
            raise AnswerRefused(NAME, AnswerFault.ENCODING_WRONG, encoding[:20])

    def _document_type(self, *_said: object) -> None:
        raise AnswerRefused(NAME, AnswerFault.UNSAFE, "document type")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._elements += 1
        if self._elements > MAX_ELEMENTS or len(self._path) >= MAX_DEPTH:
            raise AnswerRefused(NAME, AnswerFault.UNSAFE, "depth or number of elements")
        self._path.append(tag)
        self._text.clear()
        match len(self._path):
            case 1:
                self._root(tag, attributes)
            case 2:
                self._month(tag, attributes)
            case _:
                self._field(tag, attributes)

    def _root(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag != self._kind.root:
            raise _changed(tag)
        if attributes.get(_CREDIT_CODE) != self._credit_code:
            raise AnswerRefused(NAME, AnswerFault.ANOTHER_FIRM)

    def _month(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag != _MONTH_TAG or _MONTH not in attributes:
            raise _changed(tag)
        if len(self.rows) >= MOST_MONTHS:
            raise AnswerRefused(NAME, AnswerFault.TOO_LARGE, f"more than {MOST_MONTHS} months")
        self._row = {"credit_code": self._credit_code, "month": attributes[_MONTH][:_MAX_FIELD]}

    def _field(self, tag: str, attributes: Mapping[str, str]) -> None:
        if tag not in self._kind.amounts and tag not in self._kind.others:
            raise _changed(tag)
        if tag in self._kind.amounts and any(attributes.get(name) != told for name, told in (_CURRENCY, _UNIT)):
            raise AnswerRefused(NAME, AnswerFault.UNIT_DOUBTFUL, tag)

    def _end(self, tag: str) -> None:
        depth, said = len(self._path), "".join(self._text).strip()[:_MAX_FIELD]
        self._path.pop()
        self._text.clear()
        if depth == MAX_DEPTH:
            self._keep(tag, said)
        elif depth == MAX_DEPTH - 1:
            absent = {*self._kind.amounts.values(), *self._kind.others.values()} - self._row.keys()
            if absent:
                raise _changed(", ".join(sorted(absent)))
            self.rows.append(self._row)

    def _keep(self, tag: str, said: str) -> None:
        kind = self._kind
        name = kind.amounts.get(tag) or kind.others[tag]
        if name in self._row:
            raise _changed(tag)
        if tag in kind.amounts and is_without_decimals(said):
            raise AnswerRefused(NAME, AnswerFault.UNIT_DOUBTFUL, tag)
        self._row[name] = kind.codes.get(said, said)


def _changed(what: str) -> AnswerRefused:
    return AnswerRefused(NAME, AnswerFault.SCHEMA_CHANGED, what[:_MAX_FIELD])
