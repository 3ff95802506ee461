"""Chance that depends on a seed and on names only."""

import hashlib
import uuid

import numpy as np

_SEPARATOR = "\x1f"
_NAMESPACE = uuid.UUID("6f0c5a2e-2b1d-5e57-9a55-3f2f6b9b7c11")


def draws(seed: int, *names: str) -> np.random.Generator:
    """Return a generator that depends on the seed and the names only, whatever else is drawn and in which order."""
    return np.random.Generator(np.random.PCG64(int.from_bytes(_digest(seed, names), "big")))


def uniform(seed: int, *names: str) -> float:
    """Return one number in (0, 1): a tenth of the price of a generator, for single draws."""
    return (int.from_bytes(_digest(seed, names)[:8], "big") + 0.5) / 2**64


def normal(seed: int, *names: str) -> float:
    """Return one standard normal number (the sum of twelve uniforms would lack tails; this inverts the error curve)."""
    first, second = uniform(seed, *names, "radius"), uniform(seed, *names, "angle")
    return float(np.sqrt(-2 * np.log(first)) * np.cos(2 * np.pi * second))


def whole(seed: int, least: int, most: int, *names: str) -> int:
    """Return one whole number from `least` to `most`, both included."""
    return least + int(uniform(seed, *names) * (most - least + 1))


def act_key(seed: int, actor: str, act: str, *natural: str) -> str:
    """Return the idempotency key of an act: the same act of the same actor has the same key for ever."""
    return str(uuid.uuid5(_NAMESPACE, _SEPARATOR.join((str(seed), actor, act, *natural))))


def _digest(seed: int, names: tuple[str, ...]) -> bytes:
    return hashlib.sha256(_SEPARATOR.join((str(seed), *names)).encode()).digest()
