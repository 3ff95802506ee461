"""Sealing and opening what a decision keeps: the one place that knows how the parts are bound to it."""

import json
from collections.abc import Sequence
from uuid import UUID

from xinyidai.decisions.keys import OpenKey
from xinyidai.decisions.rules import Reason, Vector, keyed_digest
from xinyidai.foundation.canonical import canonical_bytes

_REASONS = b":reasons"


def seal_vector(key: OpenKey, decision_id: UUID, vector: Vector) -> tuple[bytes, bytes]:
    """Return the sealed vector and its keyed digest."""
    plain = canonical_bytes(vector)
    return key.cipher.seal(plain, bound_to=decision_id.bytes), keyed_digest(key.key, plain)


def open_vector(key: OpenKey, decision_id: UUID, sealed: bytes) -> tuple[Vector, bytes]:
    """Return the vector and the keyed digest of what was found; `CiphertextAltered` where it does not open."""
    plain = key.cipher.open(sealed, bound_to=decision_id.bytes)
    return json.loads(plain), keyed_digest(key.key, plain)


def seal_reasons(key: OpenKey, decision_id: UUID, reasons: Sequence[Reason]) -> bytes:
    """Return the reasons sealed: their sentences name values, which must end with the key."""
    return key.cipher.seal(canonical_bytes(list(reasons)), bound_to=decision_id.bytes + _REASONS)


def open_reasons(key: OpenKey, decision_id: UUID, sealed: bytes) -> tuple[Reason, ...]:
    """Return the reasons as they were given."""
    return tuple(json.loads(key.cipher.open(sealed, bound_to=decision_id.bytes + _REASONS)))
