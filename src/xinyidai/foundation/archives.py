"""Zip archives from outside: unpacked once within bounds, and thrown away, before anybody reads them.

A few kilobytes can stand for gigabytes, and what a part says of its own size need not be true: so the bytes are counted
as they come. Check sums are checked on the way.
"""

import zipfile
import zlib
from typing import BinaryIO, Final

PIECE: Final = 1 << 16
_ENCRYPTED: Final = 0x1
_BROKEN: Final = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,  # zipfile's word for a way of packing that it does not know
    OSError,
    RuntimeError,
    ValueError,
)


class ArchiveBroken(Exception):
    """It is no zip archive, was cut or changed, is locked by a password or packed in an unknown way."""


class ArchiveTooLarge(Exception):
    """It has more parts or would unpack to more bytes than are allowed."""


def parts_of(stream: BinaryIO, *, most_parts: int, most_bytes: int) -> frozenset[str]:
    """Return the names of an archive's parts once all of it was unpacked and found whole.

    Raises
    ------
    ArchiveBroken, ArchiveTooLarge
    """
    try:
        with zipfile.ZipFile(stream) as archive:
            parts = archive.infolist()
            if len(parts) > most_parts:
                raise ArchiveTooLarge
            if any(part.flag_bits & _ENCRYPTED for part in parts):
                raise ArchiveBroken
            left = most_bytes
            for part in parts:
                left = _unpack(archive, part, left)
    except _BROKEN as error:
        raise ArchiveBroken from error
    return frozenset(part.filename for part in parts)


def _unpack(archive: zipfile.ZipFile, part: zipfile.ZipInfo, left: int) -> int:
    """Unpack a part, keep nothing of it, and return how many bytes may still come."""
    with archive.open(part) as content:
        while piece := content.read(PIECE):
            left -= len(piece)
            if left < 0:
                raise ArchiveTooLarge
    return left
