"""The door at which faults are asked for, with this run's control token."""

from datetime import timedelta

from litestar import Response, get, post
from litestar.params import JSONBody
from pydantic import BaseModel, ConfigDict, Field

from city.providers.answers import AnyRequest, Json, city_of, controls, no
from city.providers.faults import KINDS, MOST_FAULTS, MOST_SECONDS, Fault, Faults, Kind


class FaultIn(BaseModel):
    """A fault that is asked for."""

    model_config = ConfigDict(extra="forbid")

    provider: str
    kind: Kind
    probability: float = Field(ge=0, le=1)
    seed: int
    seconds_to_live: int = Field(gt=0, le=MOST_SECONDS)
    credit_codes: list[str] = Field(default=[], max_length=1_000)


@post("/faults", status_code=201)
async def ask_for_fault(request: AnyRequest, data: JSONBody[FaultIn]) -> Response[Json]:
    """Play a fault for a while, in place of one of the same provider and kind."""
    if not controls(request):
        return no(401, "control_token_wrong")
    if data.kind not in KINDS.get(data.provider, ()):
        return no(422, "kind_refused", "this provider cannot do that wrong")
    faults, wall = _faults(request), city_of(request).ground.wall()
    if len(faults.live(wall)) >= MOST_FAULTS:
        return no(409, "too_many_faults")
    ends_at = wall + timedelta(seconds=data.seconds_to_live)
    fault = Fault(data.provider, data.kind, data.probability, data.seed, ends_at, frozenset(data.credit_codes))
    faults.ask(fault)
    return Response(_shown(fault), status_code=201)


@get("/faults", sync_to_thread=False)
def list_faults(request: AnyRequest) -> Response[Json]:
    """List the faults that are played now."""
    if not controls(request):
        return no(401, "control_token_wrong")
    return Response({"rows": [_shown(one) for one in _faults(request).live(city_of(request).ground.wall())]})


def _faults(request: AnyRequest) -> Faults:
    faults = request.app.state.faults
    assert isinstance(faults, Faults), "the application is made with faults"
    return faults


def _shown(fault: Fault) -> Json:
    return {
        "provider": fault.provider,
        "kind": fault.kind.value,
        "probability": fault.probability,
        "seed": fault.seed,
        "ends_at": fault.ends_at.isoformat(),
        "credit_codes": sorted(fault.credit_codes),
    }
