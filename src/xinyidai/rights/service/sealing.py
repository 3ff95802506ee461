"""How an archive is sealed while its link lasts: bound to its request and its firm."""

from uuid import UUID

from xinyidai.foundation.cipher import Cipher
from xinyidai.foundation.settings import settings

_BOUND = b"archive:"


def seal_archive(request_id: UUID, firm_id: UUID, plain: bytes) -> bytes:
    """Return the archive sealed."""
    return _cipher().seal(plain, bound_to=_BOUND + request_id.bytes + firm_id.bytes)


def open_archive(request_id: UUID, firm_id: UUID, sealed: bytes) -> bytes:
    """Return the archive's bytes; `CiphertextAltered` where they are not what was sealed, or another's."""
    return _cipher().open(sealed, bound_to=_BOUND + request_id.bytes + firm_id.bytes)


def _cipher() -> Cipher:
    return Cipher(settings().secret("export archives"))
