"""Encryption at rest: AES-256-GCM under a key per subject, which is itself wrapped by the platform's key.

Every ciphertext names its algorithm, so that another profile (SM4-GCM) can live beside it. Destroying the wrapped
subject key makes everything under it unreadable: the end of retention.
"""

import os
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ALGORITHM = b"A1"
"""AES-256-GCM, 96-bit random nonce, associated data bound to the row."""

_NONCE_BYTES = 12


class CiphertextAltered(Exception):
    """The ciphertext, its key or the row it was bound to is not what was written."""


@dataclass(frozen=True)
class Cipher:
    """Seal and open bytes under one 256-bit key."""

    key: bytes

    def seal(self, plain: bytes, *, bound_to: bytes) -> bytes:
        """Return algorithm, nonce and ciphertext; `bound_to` (for example the row's id) must be given again to open."""
        nonce = os.urandom(_NONCE_BYTES)
        return ALGORITHM + nonce + AESGCM(self.key).encrypt(nonce, plain, bound_to)

    def open(self, sealed: bytes, *, bound_to: bytes) -> bytes:
        """Return what was sealed.

        Raises
        ------
        CiphertextAltered
            Another algorithm, another key, another row, or a changed byte.
        """
        head = len(ALGORITHM)
        if sealed[:head] != ALGORITHM:
            raise CiphertextAltered("unknown algorithm")
        try:
            return AESGCM(self.key).decrypt(sealed[head : head + _NONCE_BYTES], sealed[head + _NONCE_BYTES :], bound_to)
        except InvalidTag as error:
            raise CiphertextAltered("authentication failed") from error


def new_key() -> bytes:
    """Return a fresh 256-bit key."""
    return AESGCM.generate_key(bit_length=256)
