"""One-time tokens: 256 random bits, shown once as part of a link and kept as a digest."""

import hashlib
import secrets

TOKEN_BYTES = 32
MAX_TOKEN = 200
"""Characters read of a presented token; a true one has 43."""


def new_token() -> str:
    """Return a new token, fit for a link."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def token_digest(token: str) -> bytes:
    """Return what is kept of a token; a fast hash, because 256 random bits cannot be guessed."""
    return hashlib.sha256(token[:MAX_TOKEN].encode("utf-8", "replace")).digest()
