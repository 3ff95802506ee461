"""Identifiers: time-ordered for new rows, derived for things that must be the same on every retry."""

import os
import uuid
from uuid import UUID

from xinyidai.foundation.clock import wall_now

_NAMESPACE = UUID("6f0d3a52-5d1c-5b0e-9d4b-0c6a1f6f7b11")


def new_id() -> UUID:
    """Return a UUID version 7 (RFC 9562): 48 bits of wall milliseconds, then 74 random bits.

    Index-friendly, and never an input to a decision or a tie.
    """
    milliseconds = int(wall_now().timestamp() * 1000)
    value = milliseconds << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return UUID(int=value)


def derived_id(key: str, part: str = "") -> UUID:
    """Return the same UUID for the same (key, part) on every retry and every machine."""
    return uuid.uuid5(_NAMESPACE, f"{key}\x1f{part}")
