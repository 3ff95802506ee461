"""Consent codes and access tokens of the tax bureau: opaque, kept as digests, used once or bound to one firm."""

import hashlib
import secrets
from datetime import datetime, timedelta

from city.store import Granted, Store

SCOPE = "vat_invoices"
CODE_MINUTES = 10
TOKEN_BUSINESS_DAYS = 30
SECRET_BYTES = 32


def issue_code(store: Store, client_id: str, credit_code: str, *, wall: datetime) -> str:
    """Return a new consent code of a firm for a client; it is good once, for CODE_MINUTES of wall time."""
    code = secrets.token_urlsafe(SECRET_BYTES)
    expires_at = wall + timedelta(minutes=CODE_MINUTES)
    store.keep_code(digest_of(code), Granted(client_id, credit_code, SCOPE, expires_at))
    return code


def redeem_code(store: Store, client_id: str, code: str, *, wall: datetime) -> Granted | None:
    """Take a consent code; None when it is unknown, used, over, or another client's. Asking uses it up."""
    granted = store.take_code(digest_of(code))
    if granted is None or granted.client_id != client_id or granted.expires_at <= wall:
        return None
    return granted


def issue_token(store: Store, granted: Granted, *, business: datetime) -> tuple[str, datetime]:
    """Return an access token for what was consented to, and the business moment at which it ends."""
    token = secrets.token_urlsafe(SECRET_BYTES)
    expires_at = business + timedelta(days=TOKEN_BUSINESS_DAYS)
    store.keep_token(digest_of(token), Granted(granted.client_id, granted.credit_code, granted.scope, expires_at))
    return token, expires_at


def digest_of(secret: str) -> str:
    """Return what is kept of a code or token: 256 random bits cannot be guessed, so a fast hash is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()
