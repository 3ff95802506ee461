"""What every HTTP door shares: how a body is read, and the answer to a money call."""

from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

import msgspec
from litestar import Request, Response
from litestar.config.app import AppConfig
from litestar.datastructures import State
from litestar.plugins import InitPlugin
from litestar.plugins.pydantic import PydanticInitPlugin, PydanticPlugin
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.foundation.canonical import Json
from xinyidai.foundation.idempotency import check_key, once


class _Schemas(PydanticPlugin):
    """Reads schemas as strictly as they ask, and refuses NUL in any text, once for every door.

    PostgreSQL's text cannot hold NUL, and nobody's name contains it.
    """

    def __init__(self) -> None:
        # The plugin's default overrides the strictness that a schema asks for: "1", 1.0 and true passed for an amount.
        super().__init__(validate_strict=None)  # type: ignore[arg-type]

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Add the plugin's parts, then the check before them."""
        prepared = super().on_app_init(app_config)
        # Plugins run in the order of this list, and a decoder that is put in front is asked first.
        prepared.plugins.append(_TextCheck())
        return prepared


class _TextCheck(InitPlugin):
    """Puts the check for NUL in front of the decoder of schemas."""

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Wrap the decoder."""
        decoders = PydanticInitPlugin.decoders(validate_strict=None)  # type: ignore[arg-type]
        is_schema, decode = next(one for one in decoders if one[0](BaseModel))

        def read(schema: type[BaseModel], value: Json) -> object:
            _requires_storable(value, "$")
            return decode(schema, value)

        app_config.type_decoders = [(is_schema, read), *(app_config.type_decoders or [])]
        return app_config


def _requires_storable(value: Json, path: str) -> None:
    if isinstance(value, str):
        if "\x00" in value:
            raise msgspec.ValidationError(f"Text must not contain NUL - at `{path}`")
    elif isinstance(value, dict):
        for name, inner in value.items():
            _requires_storable(name, path)
            _requires_storable(inner, f"{path}.{name}")
    elif isinstance(value, list):
        for inner in value:
            _requires_storable(inner, f"{path}[]")


STRICT_SCHEMAS = _Schemas()

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
