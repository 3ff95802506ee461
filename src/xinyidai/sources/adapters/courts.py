"""The courts' enquiry desk over HTTP: a query is a job, and its answer is asked for once it was called back."""

import json
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import quote

import httpx2

from xinyidai.foundation.errors import SourceUnavailable
from xinyidai.sources.adapters.asking import Asked, ask, client_of
from xinyidai.sources.rules.offices import AnswerFault, AnswerRefused
from xinyidai.sources.rules.offices.court_answers import MAX_ANSWER_BYTES, MOST_JOB_ID, NAME

_MAX_RECEIPT_BYTES: Final = 4 << 10


@dataclass
class Courts:
    """A client of the courts; one a worker process, for its connections are kept."""

    url: str
    secret: str = field(repr=False)
    transport: httpx2.AsyncBaseTransport | None = None

    def __post_init__(self) -> None:
        self._client = client_of(self.url, self.transport)
        self._headers = {"Authorization": f"Bearer {self.secret}", "Content-Type": "application/json"}

    async def aclose(self) -> None:
        """Close the kept connections."""
        await self._client.aclose()

    async def query(self, reference: str) -> str:
        """Ask about the firm that gave the reference, and return the job's number. Raises as `ask` does."""
        content = json.dumps({"reference": reference}).encode()
        asked = Asked("POST", "/courts/queries", self._headers, _MAX_RECEIPT_BYTES, content=content)
        receipt = await ask(self._client, NAME, asked)
        try:
            said = json.loads(receipt)
        except ValueError as error:
            raise AnswerRefused(NAME, AnswerFault.UNREADABLE, "receipt") from error
        job_id = said.get("job_id") if isinstance(said, dict) else None
        if not isinstance(job_id, str) or not 0 < len(job_id) <= MOST_JOB_ID:
            raise SourceUnavailable(NAME, "no job number in the answer")
        return job_id

    async def answer(self, job_id: str) -> bytes:
        """Return what the courts say of a job, unread. Raises as `ask` does."""
        path = f"/courts/queries/{quote(job_id, safe='')}"
        return await ask(self._client, NAME, Asked("GET", path, self._headers, MAX_ANSWER_BYTES))
