"""The daily files of social insurance and housing fund: the list that is sent, the manifest, the rows. Pure.

The office sends files of whom the list names, and now and then a row of somebody else. Of such a row only the credit
code at its beginning is compared; the rest is neither decoded nor kept, only counted.
"""

import csv
import hashlib
import hmac
import io
import json
import zlib
from base64 import b64decode
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from xinyidai.sources.rules.offices import AnswerFault, AnswerRefused, is_without_decimals

NAME: Final = "benefits"
MOST_FIRMS: Final = 10_000
MAX_MANIFEST_BYTES: Final = 64 << 10
MAX_FILE_BYTES: Final = 32 << 20
MAX_UNPACKED_BYTES: Final = 128 << 20
KEPT_DAYS: Final = 30
"""So long the office keeps a day's files; what was not fetched by then is fetched by a new subscription only."""
_ENDS: Final = b"\r\n"
_CREDIT_CODE: Final = "统一社会信用代码"
_MONTH_DIGITS: Final = 6


@dataclass(frozen=True)
class FileKind:
    """One item's file: its name, its header, and under which names a delivery has the columns."""

    item_code: str
    header: tuple[str, ...]
    delivered: tuple[str, ...]

    @property
    def name(self) -> str:
        """Return the file's name."""
        return f"{self.item_code}.csv.gz"


SOCIAL_INSURANCE: Final = FileKind(
    "social_insurance",
    (_CREDIT_CODE, "费款所属月份", "参保人数", "缴费基数总额", "实缴金额", "欠费金额"),
    ("credit_code", "month", "insured", "base_yuan", "paid_yuan", "owed_yuan"),
)
HOUSING_FUND: Final = FileKind(
    "housing_fund",
    (_CREDIT_CODE, "汇缴月份", "缴存人数", "缴存基数总额", "实缴金额", "欠缴金额"),
    ("credit_code", "month", "depositors", "base_yuan", "paid_yuan", "owed_yuan"),
)
FILES: Final = {one.item_code: one for one in (SOCIAL_INSURANCE, HOUSING_FUND)}
"""The kinds by the code of their item."""


@dataclass(frozen=True)
class FileEntry:
    """What a signed manifest says of one file."""

    rows: int
    byte_count: int
    sha256: str


@dataclass(frozen=True)
class KeptRows:
    """What of a file is for us: lines with the columns of a delivery, and how many rows were thrown away unread."""

    kind: FileKind
    lines: tuple[bytes, ...]
    received: int
    discarded: int

    @property
    def content(self) -> bytes:
        """Return the lines as a CSV file."""
        return b"".join(line + b"\n" for line in (",".join(self.kind.delivered).encode(), *self.lines))

    def without(self, told: Collection[tuple[str, date]]) -> "KeptRows":
        """Return the rows but for these firms' (by credit code) months (by first day)."""
        named = {f"{code},{month:%Y-%m},".encode() for code, month in told}
        left = tuple(line for line in self.lines if b",".join(line.split(b",", 2)[:2]) + b"," not in named)
        return replace(self, lines=left)


def signed_list(firms: Sequence[tuple[str, str]], secret: str) -> tuple[bytes, str]:
    """Return the list of firms, each a credit code and its reference, as it is sent, and its signature."""
    rows = [{"credit_code": code, "reference": reference} for code, reference in sorted(firms)]
    body = json.dumps({"firms": rows}, separators=(",", ":")).encode()
    return body, hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def refused_in(answer: bytes, *, sent: Collection[str]) -> frozenset[str]:
    """Return whose credit codes the office did not take on its list.

    Raises
    ------
    AnswerRefused
        It does not answer for as many firms as were sent, or names one that was not.
    """
    try:
        said = json.loads(answer)
        refused = frozenset(str(one["credit_code"]) for one in said["refused"])
        accepted = int(said["accepted"])
    except (ValueError, KeyError, TypeError) as error:
        raise AnswerRefused(NAME, AnswerFault.UNREADABLE, "answer to the list") from error
    if refused - set(sent) or accepted + len(refused) != len(sent):
        raise AnswerRefused(NAME, AnswerFault.SCHEMA_CHANGED, "answer to the list")
    return refused


def entries_in(manifest: bytes, signature: str, *, public_key: bytes, day: date) -> Mapping[str, FileEntry]:
    """Return what the manifest of a day says of each item's file, once its signature was found right.

    Parameters
    ----------
    public_key : bytes
        The office's Ed25519 key, 32 bytes, as it was pinned.

    Raises
    ------
    AnswerRefused
        It is not signed by the office, or not of this day, or makes no sense.
    """
    try:
        key = Ed25519PublicKey.from_public_bytes(public_key)
        key.verify(b64decode(signature.strip(), validate=True), manifest)
    except (InvalidSignature, ValueError) as error:
        raise AnswerRefused(NAME, AnswerFault.SIGNATURE_WRONG, "manifest") from error
    try:
        said = json.loads(manifest)
        told, files = said["day"], said["files"]
        found = {str(one["name"]): FileEntry(int(one["rows"]), int(one["bytes"]), str(one["sha256"])) for one in files}
    except (ValueError, KeyError, TypeError) as error:
        raise AnswerRefused(NAME, AnswerFault.SCHEMA_CHANGED, "manifest") from error
    if told != day.isoformat():
        raise AnswerRefused(NAME, AnswerFault.ANOTHER_DAY, str(told)[:10])
    absent = [kind.name for kind in FILES.values() if kind.name not in found]
    if absent:
        raise AnswerRefused(NAME, AnswerFault.SCHEMA_CHANGED, ", ".join(absent))
    return {code: found[kind.name] for code, kind in FILES.items()}


def rows_kept(content: bytes, entry: FileEntry, kind: FileKind, *, credit_codes: Collection[str]) -> KeptRows:
    """Return the rows of these firms out of a file that is the one its manifest names.

    A row that cannot be told apart into its columns goes on as it stands, for the checks to name by row.

    Raises
    ------
    AnswerRefused
        The file as a whole is not believed.
    """
    if len(content) != entry.byte_count or hashlib.sha256(content).hexdigest() != entry.sha256:
        raise AnswerRefused(NAME, AnswerFault.DIGEST_WRONG, kind.name)
    header, _, body = _unpacked(content, kind).partition(_ENDS)
    if header.decode("utf-8-sig", errors="replace").split(",") != list(kind.header):
        raise AnswerRefused(NAME, AnswerFault.SCHEMA_CHANGED, kind.name)
    if body and not body.endswith(_ENDS):
        raise AnswerRefused(NAME, AnswerFault.UNREADABLE, kind.name)
    lines = body.split(_ENDS)[:-1]
    if len(lines) != entry.rows:
        raise AnswerRefused(NAME, AnswerFault.ROWS_MISSING, f"{kind.name}: {len(lines)} of {entry.rows}")
    wanted = {code.encode() for code in credit_codes}
    own = [line for line in lines if line.split(b",", 1)[0].strip(b'" ') in wanted]
    return KeptRows(kind, tuple(_delivered(line, kind) for line in own), len(lines), len(lines) - len(own))


def _unpacked(content: bytes, kind: FileKind) -> bytes:
    """Unpack, no further than the bound: some kilobytes of gzip can stand for gigabytes."""
    unpacking = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        unpacked = unpacking.decompress(content, MAX_UNPACKED_BYTES)
    except zlib.error as error:
        raise AnswerRefused(NAME, AnswerFault.UNREADABLE, kind.name) from error
    if unpacking.unconsumed_tail:
        raise AnswerRefused(NAME, AnswerFault.TOO_LARGE, kind.name)
    if not unpacking.eof or unpacking.unused_data:
        raise AnswerRefused(NAME, AnswerFault.UNREADABLE, kind.name)
    return unpacked


def _delivered(line: bytes, kind: FileKind) -> bytes:
    """Return an own row as a delivery has it: its month as 2025-03, all else untouched."""
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise AnswerRefused(NAME, AnswerFault.ENCODING_WRONG, kind.name) from error
    fields = next(csv.reader([text]), [])
    if len(fields) != len(kind.header):
        return line.replace(b"\r", b"").replace(b"\n", b"")
    for name, value in zip(kind.delivered, fields, strict=True):
        if name.endswith("_yuan") and is_without_decimals(value):
            raise AnswerRefused(NAME, AnswerFault.UNIT_DOUBTFUL, f"{kind.name}: {name}")
    month = fields[1]
    if len(month) == _MONTH_DIGITS and month.isdigit():
        fields[1] = f"{month[:4]}-{month[4:]}"
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(fields)
    return out.getvalue().encode()
