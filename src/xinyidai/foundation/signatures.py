"""Signatures of outside parties: Ed25519 (RFC 8032) over a headline and canonical bytes.

The headline says what kind of statement is signed, so that a signature under one kind is none under another.
"""

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from xinyidai.foundation.canonical import Json, canonical_bytes

PUBLIC_KEY_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64


def signed_bytes(headline: str, told: Json) -> bytes:
    """Return the bytes that a signature covers: the headline, a line feed, and the canonical JSON of what is told."""
    return headline.encode() + b"\n" + canonical_bytes(told)


def is_signed(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Say whether the signature is of this message under this key; a key or signature of no possible form is not."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def is_public_key(public_key: bytes) -> bool:
    """Say whether the bytes can be a public key."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key)
    except ValueError:
        return False
    return True
