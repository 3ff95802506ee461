"""How a document is sealed: a key of its own, wrapped by the platform's, everything bound to the document's id."""

from dataclasses import dataclass
from uuid import UUID

from xinyidai.foundation.cipher import Cipher, new_key
from xinyidai.foundation.settings import settings

_NAME, _CONTENT = b"name:", b"content:"


@dataclass(frozen=True)
class Sealed:
    """What is stored of a document: nothing of it can be read without the platform's key."""

    wrapped_key: bytes
    name: bytes
    content: bytes


def seal(document_id: UUID, digest: bytes, *, name: str, content: bytes) -> Sealed:
    """Seal a name and bytes under a fresh key."""
    key = new_key()
    cipher = Cipher(key)
    return Sealed(
        _platform().seal(key, bound_to=document_id.bytes),
        cipher.seal(name.encode(), bound_to=_NAME + document_id.bytes),
        cipher.seal(content, bound_to=_CONTENT + document_id.bytes + digest),
    )


def open_name(document_id: UUID, wrapped_key: bytes, sealed: bytes) -> str:
    """Return a document's name; `CiphertextAltered` where it is not what was sealed."""
    return _cipher(document_id, wrapped_key).open(sealed, bound_to=_NAME + document_id.bytes).decode()


def open_content(document_id: UUID, digest: bytes, wrapped_key: bytes, sealed: bytes) -> bytes:
    """Return a document's bytes; `CiphertextAltered` where they are not what was sealed."""
    return _cipher(document_id, wrapped_key).open(sealed, bound_to=_CONTENT + document_id.bytes + digest)


def _cipher(document_id: UUID, wrapped_key: bytes) -> Cipher:
    return Cipher(_platform().open(wrapped_key, bound_to=document_id.bytes))


def _platform() -> Cipher:
    return Cipher(settings().secret("document keys"))
