"""Social insurance and housing fund over HTTP: a signed list goes out, signed daily files come in."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

import httpx2

from xinyidai.sources.adapters.asking import ask
from xinyidai.sources.adapters.wire import client_of
from xinyidai.sources.rules.offices.day_files import (
    FILES,
    MAX_FILE_BYTES,
    MAX_MANIFEST_BYTES,
    NAME,
    FileEntry,
    entries_in,
    refused_in,
    signed_list,
)

_MAX_SIGNATURE_BYTES: Final = 1 << 10
_MAX_LIST_ANSWER_BYTES: Final = 2 << 20


@dataclass
class Benefits:
    """A client of the office; one a worker process, for its connections are kept.

    `public_key` is the office's Ed25519 key, 32 bytes: pinned by whoever connected us, never asked for on the way.
    """

    url: str
    client_id: str
    client_secret: str = field(repr=False)
    public_key: bytes
    transport: httpx2.AsyncBaseTransport | None = None

    def __post_init__(self) -> None:
        self._client = client_of(self.url, self.transport)
        known = b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
        self._headers = {"Authorization": f"Basic {known}"}

    async def aclose(self) -> None:
        """Close the kept connections."""
        await self._client.aclose()

    async def send_list(self, firms: Sequence[tuple[str, str]]) -> frozenset[str]:
        """Send the whole list, each firm's credit code and reference; return whose codes were refused.

        Raises as `ask` does.
        """
        body, signature = signed_list(firms, self.client_secret)
        headers = {**self._headers, "Content-Type": "application/json", "X-Signature": signature}
        request = self._client.build_request("PUT", "/benefits/subscription", headers=headers, content=body)
        answer = await ask(self._client, request, source=NAME, most_bytes=_MAX_LIST_ANSWER_BYTES)
        return refused_in(answer, sent=[code for code, _ in firms])

    async def entries(self, day: date) -> Mapping[str, FileEntry]:
        """Return what the signed manifest of a day says of each item's file.

        Raises as `ask` does: `NotThere` where the day's files are not there yet, or no longer.
        """
        place = f"/benefits/files/{day.isoformat()}/manifest.json"
        manifest = await self._get(place, MAX_MANIFEST_BYTES)
        signature = await self._get(f"{place}.sig", _MAX_SIGNATURE_BYTES)
        return entries_in(manifest, signature.decode("latin-1"), public_key=self.public_key, day=day)

    async def file(self, day: date, item_code: str) -> bytes:
        """Return one file of a day as it came, unread. Raises as `ask` does."""
        place = f"/benefits/files/{day.isoformat()}/{FILES[item_code].name}"
        return await self._get(place, MAX_FILE_BYTES)

    async def _get(self, place: str, most_bytes: int) -> bytes:
        request = self._client.build_request("GET", place, headers=self._headers)
        return await ask(self._client, request, source=NAME, most_bytes=most_bytes)
