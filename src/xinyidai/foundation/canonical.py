"""One way to write a value as bytes, so that equal values have equal digests on every machine."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from types import NoneType

from typing_extensions import TypeAliasType

Json = TypeAliasType("Json", "bool | int | str | Sequence[Json] | Mapping[str, Json] | None")
"""What may be digested: no floats, whose text differs between writers; scale them to integers first."""


# Nearly all that is digested: told at once, before the slower look for mappings and sequences.
_PLAIN = (str, int, NoneType)


def canonical_bytes(value: Json) -> bytes:
    """Return compact JSON with sorted keys in UTF-8.

    Raises
    ------
    TypeError
        A float is somewhere inside.
    """
    _refuse_floats(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(value: Json) -> bytes:
    """Return the SHA-256 of the canonical bytes."""
    return hashlib.sha256(canonical_bytes(value)).digest()


def _refuse_floats(value: Json | float) -> None:
    if isinstance(value, float):
        raise TypeError("a float has no canonical text: scale it to an integer")
    inside = value.values() if isinstance(value, Mapping) else value
    if isinstance(inside, _PLAIN):
        return
    for inner in inside:
        if not isinstance(inner, _PLAIN):
            _refuse_floats(inner)
