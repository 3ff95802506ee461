"""Signatures with a shared secret: over a request, over an answer, over a call back."""

import hashlib
import hmac
from base64 import b64encode
from collections.abc import Iterable
from urllib.parse import quote


def signed(secret: str, *lines: str) -> str:
    """Return the HMAC-SHA256 of lines joined by newlines, in hexadecimal."""
    return hmac.new(secret.encode(), "\n".join(lines).encode(), hashlib.sha256).hexdigest()


def sha256(body: bytes) -> str:
    """Return the digest of a body in hexadecimal."""
    return hashlib.sha256(body).hexdigest()


def canonical_query(pairs: Iterable[tuple[str, str]]) -> str:
    """Return a query with its pairs sorted by name and value, each percent-encoded but for letters, digits and -._~."""
    encoded = sorted((quote(name, safe=""), quote(value, safe="")) for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)


def webhook_signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the signature of a call back in the manner of Standard Webhooks, `v1,` and base64."""
    content = f"{message_id}.{timestamp}.".encode() + body
    return f"v1,{b64encode(hmac.new(secret.encode(), content, hashlib.sha256).digest()).decode()}"
