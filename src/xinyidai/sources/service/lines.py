"""Physical lines of a CSV file: none of its rows may reach over a line's end.

The CSV reader lets a quoted field hold line breaks, so one forgotten quote would swallow every line to the next quote
and nobody would be told which. No field of an invoice holds a line break, so a quote still open at a line's end is a
fault of that line alone.
"""

import io
import re
from collections import deque
from dataclasses import dataclass
from typing import BinaryIO

from xinyidai.sources.rules.delivery import MAX_CONTENT, Fault

MARK = '""'
"""What stands in the stream for a line that was taken out: one empty field, which is always too few."""

_MARK = MARK.encode()
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# The reader's own grammar: a quote opens a field only at its beginning, and after the closing one anything may follow.
_FIELD = rb'(?:"(?:[^"]++|"")*+"[^,]*+|[^",][^,]*+)?'
_CLOSED = re.compile(_FIELD + rb"(?:," + _FIELD + rb")*+")


@dataclass(frozen=True)
class TakenOut:
    """A line that the reader shall not see, and why."""

    content: str
    fault: Fault


class WholeLines(io.RawIOBase):
    """A CSV stream as the reader may see it; `taken_out` holds, in order, the lines that `MARK` stands for."""

    def __init__(self, stream: BinaryIO, *, block_bytes: int) -> None:
        super().__init__()
        self.taken_out: deque[TakenOut] = deque()
        self._stream = stream
        self._block_bytes = block_bytes
        self._is_first = True
        self._tail = b""
        self._ready = memoryview(b"")

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        """Give the next bytes, none at the end.

        Raises
        ------
        ValueError
            A line longer than a block.
        """
        if not self._ready:
            self._ready = memoryview(self._next_lines())
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def _next_lines(self) -> bytes:
        while True:
            block = self._stream.read(self._block_bytes)
            if self._is_first:
                block, self._is_first = block.removeprefix(_BYTE_ORDER_MARK), False
            held = self._tail + block
            end = held.rfind(b"\n") + 1 if block else len(held)
            lines, self._tail = held[:end], held[end:]
            if lines or not block:
                return self._looked_at(lines) if b'"' in lines else lines
            if len(self._tail) > self._block_bytes:
                raise ValueError("a line is longer than a block")

    def _looked_at(self, lines: bytes) -> bytes:
        return b"\n".join(self._line(line) if b'"' in line else line for line in lines.split(b"\n"))

    def _line(self, line: bytes) -> bytes:
        if b"\r" not in line:
            return self._piece(line)
        # A carriage return ends a line for the reader too.
        return b"\r".join(self._piece(piece) if b'"' in piece else piece for piece in line.split(b"\r"))

    def _piece(self, piece: bytes) -> bytes:
        is_closed = _is_quoted_throughout(piece) or _CLOSED.fullmatch(piece) is not None
        if is_closed and piece != _MARK:
            return piece
        fault = Fault.WRONG_COLUMN_COUNT if is_closed else Fault.UNCLOSED_QUOTE
        self.taken_out.append(TakenOut(storable(piece.decode()), fault))
        return _MARK


def _is_quoted_throughout(piece: bytes) -> bool:
    """Say whether every field is in quotes and none holds one: what most programs write, ten times faster to see."""
    inner = piece[1:-1]
    is_between = len(piece) > 1 and piece[:1] == piece[-1:] == b'"'
    return is_between and b'"' not in inner.replace(b'","', b"")


def storable(line: str) -> str:
    """Return a line as its sender is shown it: at most `MAX_CONTENT` characters, NUL written as an escape.

    PostgreSQL's text cannot hold NUL.
    """
    return line[:MAX_CONTENT].replace("\x00", "\\u0000")[:MAX_CONTENT]
