"""Money as integer fen, shares as parts per million, and splits that sum exactly."""

from collections.abc import Mapping
from typing import NewType

Fen = NewType("Fen", int)
Ppm = NewType("Ppm", int)
BasisPoints = NewType("BasisPoints", int)

WHOLE_PPM = Ppm(1_000_000)
MAX_FEN = Fen(10**15)
"""Ten trillion yuan: no single amount or balance may pass it, so no sum of a few overflows 64 bits."""


def share_out(total_fen: Fen, shares: Mapping[str, Ppm]) -> dict[str, Fen]:
    """Split an amount by shares with the largest-remainder method.

    Parameters
    ----------
    total_fen : Fen
        May be zero; a negative amount is split as the mirror of the positive one.
    shares : mapping of party key to ppm
        Must sum to 1,000,000. The order of the mapping is irrelevant.

    Returns
    -------
    dict
        Parts that sum exactly to `total_fen`, each within one fen of the exact share. Odd fen go to the largest
        remainders; equal remainders to the smaller key.
    """
    if sum(shares.values()) != WHOLE_PPM or any(ppm < 0 for ppm in shares.values()):
        raise ValueError("shares must be non-negative and sum to 1,000,000 ppm")
    sign = -1 if total_fen < 0 else 1
    magnitude = abs(total_fen)
    parts = {key: magnitude * ppm // WHOLE_PPM for key, ppm in shares.items()}
    odd_fen = magnitude - sum(parts.values())
    by_remainder = sorted(shares, key=lambda key: (-(magnitude * shares[key] % WHOLE_PPM), key))
    for key in by_remainder[:odd_fen]:
        parts[key] += 1
    return {key: Fen(sign * part) for key, part in parts.items()}


def fraction_half_up(amount_fen: Fen, numerator: int, denominator: int) -> Fen:
    """Return ``amount x numerator / denominator``, rounded half up (away from zero), in integers throughout."""
    product = amount_fen * numerator
    sign = -1 if product * denominator < 0 else 1
    return Fen(sign * ((2 * abs(product) + abs(denominator)) // (2 * abs(denominator))))
