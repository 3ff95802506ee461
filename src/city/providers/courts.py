"""The courts' enquiry desk: a query is taken as a job; the answer is called back, or can be asked for."""

import asyncio
import json
from contextlib import suppress

from litestar import Litestar, Response, get, post
from litestar.params import FromPath

from city.providers.answers import NOT_STORED, AnyRequest, Json, Refused, bearer, city_of, fields_of, is_same
from city.providers.callbacks import Caller, is_ready, job_named, open_job
from city.providers.faults import OF_THE_WIRE
from city.providers.gate import client_of, count_call, pass_by_reference, play
from city.settings import Client

PROVIDER = "courts"
POLL_SECONDS = 3


@post("/courts/queries", status_code=202)
async def ask_courts(request: AnyRequest) -> Response[Json]:
    """Take a query of one firm by its `reference`; the answer comes later."""
    client = _client(request)
    allowance = count_call(request, PROVIDER, client)
    fields = await fields_of(request)
    passage = pass_by_reference(request, PROVIDER, fields.get("reference", ""), "", allowance)
    job = open_job(passage)
    passage.log(f"query {job.job_id}")
    go_on_calling(request.app)
    body: Json = {"job_id": job.job_id, "state": "pending", "poll_after_seconds": POLL_SECONDS}
    return Response(body, status_code=202, headers=passage.headers | NOT_STORED)


@get("/courts/queries/{job_id:str}", sync_to_thread=False)
def show_job(request: AnyRequest, job_id: FromPath[str]) -> Response[bytes]:
    """Show how far a query is, and its answer once there is one."""
    city, client = city_of(request), _client(request)
    allowance = count_call(request, PROVIDER, client)
    job = job_named(city, client, job_id)
    if job is None:
        raise Refused(404, "no_such_job", headers=allowance.headers())
    play(request, PROVIDER, job.credit_code, of=OF_THE_WIRE)
    told = {"job_id": job.job_id, "state": "pending", "poll_after_seconds": POLL_SECONDS}
    content = job.body(city) if is_ready(job, city.ground.wall()) else json.dumps(told).encode()
    return Response(content, media_type="application/json", headers=allowance.headers() | NOT_STORED)


def go_on_calling(app: Litestar) -> None:
    """See to it that somebody makes the calls, for as long as there are any."""
    caller = app.state.caller
    assert isinstance(caller, Caller), "the application is made with a caller"
    if app.state.calling is None or app.state.calling.done():
        app.state.calling = asyncio.create_task(caller.call_all())


async def stop_calling(app: Litestar) -> None:
    """End the calls that are on their way; they are made at the next start."""
    calling = app.state.calling
    if calling is not None:
        calling.cancel()
        with suppress(asyncio.CancelledError):
            await calling


def _client(request: AnyRequest) -> Client:
    client = client_of(city_of(request), PROVIDER)
    if not is_same(bearer(request), client.client_secret):
        raise Refused(401, "invalid_client", headers={"WWW-Authenticate": "Bearer"})
    return client
