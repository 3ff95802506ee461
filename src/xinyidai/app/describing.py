"""The API's description: Litestar's document, the examples that the schemas carry, and the header of money calls."""

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pkgutil import walk_packages
from typing import cast

from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from pydantic import BaseModel

import xinyidai
from xinyidai.app.answering import Problem
from xinyidai.app.health import Health
from xinyidai.app.sandbox import PendingOut, PersonPendingOut
from xinyidai.foundation.canonical import Json
from xinyidai.foundation.doors import KEY_HEADER, REPLAYED_HEADER, answer_once
from xinyidai.foundation.idempotency import (
    KEPT_FOR,
    MAX_KEY_LENGTH,
    IdempotencyKeyMissing,
    IdempotencyKeyRefused,
    KeyReused,
    TwinInFlight,
)

Document = dict[str, dict[str, dict[str, dict[str, Json]]]]


def describe(app: Litestar) -> Document:
    """Return the OpenAPI document as plain data.

    Litestar leaves out what a model gives as `json_schema_extra`; the example of each schema is put back here.
    """
    document: Document = app.openapi_schema.to_schema()
    examples = _examples()
    for name, schema in document["components"]["schemas"].items():
        if name in examples:
            schema["examples"] = [examples[name]]
    for operations in document["paths"].values():
        for operation in operations.values():
            if operation.get("operationId") in _answered_once(app):
                _demand_key(operation)
    return document


def _answered_once(app: Litestar) -> set[str]:
    """Return the operations whose handler answers through `answer_once`.

    Read off the handler itself and not declared beside it, so that document and door cannot disagree.
    """
    return {
        str(handler.operation_id)
        for route in app.routes
        for handler in getattr(route, "route_handlers", [])
        if isinstance(handler, HTTPRouteHandler) and answer_once.__name__ in handler.fn.__code__.co_names
    }


def _demand_key(operation: dict[str, Json]) -> None:
    """Add the header that a money call needs, what it may be refused for, and the mark of a repeated answer."""
    header: Json = {
        "name": KEY_HEADER,
        "in": "header",
        "required": True,
        "description": f"Chosen by the caller, one a call; the same call with the same key within {KEPT_FOR.days} days"
        " is done once and answered the same way again",
        "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY_LENGTH, "pattern": "^[ -~]+$"},
        "example": "6f1c9a52-disburse-1",
    }
    operation["parameters"] = [*cast(list[Json], operation.get("parameters") or []), header]
    answers = cast(dict[str, dict[str, Json]], operation["responses"])
    for refusal in (IdempotencyKeyMissing, IdempotencyKeyRefused, KeyReused, TwinInFlight):
        answer = answers[str(refusal.status)]
        answer["description"] = f"{answer['description']}; `{refusal.code}`: {refusal.title_en}"
    for status, answer in answers.items():
        if status.startswith("2"):
            answer["headers"] = {
                REPLAYED_HEADER: {"description": "`true` on a repeat", "schema": {"type": "string", "enum": ["true"]}}
            }


@cache
def _examples() -> dict[str, Json]:
    found: dict[str, Json] = {}
    models: list[type[BaseModel]] = [Problem, Health, PendingOut, PersonPendingOut, *_wire_schemas()]
    for model in models:
        extra = model.model_config.get("json_schema_extra")
        if isinstance(extra, dict) and "example" in extra:
            found[model.__name__] = cast(Json, extra["example"])
    return found


def _wire_schemas() -> Iterator[type[BaseModel]]:
    for module in walk_packages(xinyidai.__path__, "xinyidai."):
        if ".schemas" in module.name:
            members = vars(import_module(module.name)).values()
            yield from (one for one in members if isinstance(one, type) and issubclass(one, BaseModel))
