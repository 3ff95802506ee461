"""The courts' enquiry desk over HTTP: a query is a job, and its answer is asked for once it was called back."""

import json
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final
from urllib.parse import quote

import httpx2

from xinyidai.sources.adapters import Access, Page, SourcePending
from xinyidai.sources.adapters.asking import ask
from xinyidai.sources.adapters.wire import client_of, patiently
from xinyidai.sources.rules.offices import AnswerFault, AnswerRefused
from xinyidai.sources.rules.offices.court_answers import ITEMS, MAX_ANSWER_BYTES, MOST_JOB_ID, NAME, answer_in

_MAX_RECEIPT_BYTES: Final = 4 << 10


@dataclass
class Courts:
    """A client of the courts; one a worker process, for its connections are kept.

    The firm's number is exchanged for a job's number, with which the answer is read once it is there.
    """

    url: str
    client_id: str
    client_secret: str = field(repr=False)
    transport: httpx2.AsyncBaseTransport | None = None
    source: str = NAME
    items: tuple[str, ...] = ITEMS

    def __post_init__(self) -> None:
        self._client = client_of(self.url, self.transport)
        self._headers = {"Authorization": f"Bearer {self.client_secret}", "Content-Type": "application/json"}

    async def aclose(self) -> None:
        """Close the kept connections."""
        await self._client.aclose()

    async def exchange(self, permission: str) -> Access:
        """Ask about the firm that gave the number, and return the job's. Raises as `ask` does."""
        content = json.dumps({"reference": permission}).encode()
        request = self._client.build_request("POST", "/courts/queries", headers=self._headers, content=content)
        receipt = await ask(self._client, request, source=NAME, most_bytes=_MAX_RECEIPT_BYTES)
        try:
            said = json.loads(receipt)
        except ValueError as error:
            raise AnswerRefused(NAME, AnswerFault.UNREADABLE, "receipt") from error
        job_id = said.get("job_id") if isinstance(said, dict) else None
        if not isinstance(job_id, str) or not 0 < len(job_id) <= MOST_JOB_ID:
            raise AnswerRefused(NAME, AnswerFault.SCHEMA_CHANGED, "receipt")
        return Access(job_id, frozenset(ITEMS))

    async def page(
        self, secret: str, item_code: str, *, credit_code: str, months_from: date, months_to: date, number: int
    ) -> Page:
        """Return all cases of an item at once. Raises as `ask` does.

        Raises
        ------
        SourcePending
            The courts still work on it.
        AnswerRefused
            The answer is not believed.
        """

        async def called() -> bytes:
            path = f"/courts/queries/{quote(secret, safe='')}"
            request = self._client.build_request("GET", path, headers=self._headers)
            return await ask(self._client, request, source=NAME, most_bytes=MAX_ANSWER_BYTES)

        # It was asked in the month after the last one of those that are asked for, or later.
        asked_on = (months_to + timedelta(days=31)).replace(day=1)
        content = await patiently(called)
        answer = answer_in(content, job_id=secret, credit_code=credit_code, item_codes=(item_code,), asked_on=asked_on)
        if answer is None:
            raise SourcePending(NAME)
        return Page(item_code, tuple(answer.rows[item_code]), number=number, pages=1)

    async def give_back(self, secret: str) -> None:
        """Do nothing: the courts forget a job by themselves."""
