"""What every HTTP door shares: the answer to a money call."""

from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

from litestar import Request, Response
from litestar.datastructures import State
from litestar.plugins.pydantic import PydanticPlugin
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.foundation.canonical import Json
from xinyidai.foundation.idempotency import check_key, once

# The plugin's default overrides the strictness that a schema asks for: "1", 1.0 and true passed for an amount.
STRICT_SCHEMAS = PydanticPlugin(validate_strict=None)  # type: ignore[arg-type]

Out = TypeVar("Out", bound=BaseModel)

KEY_HEADER = "Idempotency-Key"
REPLAYED_HEADER = "Idempotency-Replayed"


async def answer_once(
    request: Request[object, object, State],
    session: AsyncSession,
    organisation_id: UUID,
    body: Json,
    act: Callable[[], Awaitable[Out]],
    *,
    status_code: int = 201,
) -> Response[Out]:
    """Do a money call once per Idempotency-Key; a repeat gets the kept answer, marked as replayed.

    The key is bound to method, path and body, so one key cannot serve two calls.
    """
    key = check_key(request.headers.get(KEY_HEADER))
    asked: Json = {"method": str(request.method), "path": request.url.path, "body": body}
    answer = await once(session, organisation_id=organisation_id, key=key, request=asked, act=act)
    headers = {REPLAYED_HEADER: "true"} if answer.is_replayed else {}
    return Response(answer.body, status_code=status_code, headers=headers)  # type: ignore[arg-type]
