"""What a firm's yes turns into: codes and tokens at the tax bureau, references everywhere else.

All opaque, kept as digests, used once or bound to one firm, one provider and one client.
"""

import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta

from city.store import Granted, Store

SCOPE = "vat_invoices"
TAX_SCOPES = (SCOPE, "tax_filing", "tax_grade", "tax_arrears")
CODE_MINUTES = 10
TOKEN_BUSINESS_DAYS = 30
REFERENCE_BUSINESS_DAYS = 365
SECRET_BYTES = 32
REFERENCE_PREFIXES: Mapping[str, str] = {"utilities": "SDQ", "benefits": "SBGJJ", "courts": "FY", "customs": "HG"}
"""By provider, as its counter writes its numbers: water, electricity and gas; contributions; court; customs."""


def issue_code(store: Store, client_id: str, credit_code: str, scope: str = SCOPE, *, wall: datetime) -> str:
    """Return a new consent code of a firm for a client; it is good once, for CODE_MINUTES of wall time."""
    code = secrets.token_urlsafe(SECRET_BYTES)
    expires_at = wall + timedelta(minutes=CODE_MINUTES)
    store.keep_code(digest_of(code), Granted(client_id, credit_code, scope, expires_at))
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


def give_reference(
    store: Store, provider: str, client_id: str, credit_code: str, scope: str, *, business: datetime
) -> tuple[str, datetime]:
    """Return a new authorisation number of a firm for a client, and the business moment at which it ends."""
    reference = f"{REFERENCE_PREFIXES[provider]}{secrets.randbelow(10**16):016d}"
    expires_at = business + timedelta(days=REFERENCE_BUSINESS_DAYS)
    store.keep_token(reference_digest(provider, reference), Granted(client_id, credit_code, scope, expires_at))
    return reference, expires_at


def reference_digest(provider: str, reference: str) -> str:
    """Return what is kept of a reference: with the provider in it, so that it opens nothing elsewhere."""
    return digest_of(f"{provider}:{reference}")


def digest_of(secret: str) -> str:
    """Return what is kept of a code or token: 256 random bits cannot be guessed, so a fast hash is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()
