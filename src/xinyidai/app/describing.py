"""The API's description: Litestar's OpenAPI document, with the examples that the schemas carry."""

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pkgutil import walk_packages
from typing import cast

from litestar import Litestar
from pydantic import BaseModel

import xinyidai
from xinyidai.app.answering import Problem
from xinyidai.app.health import Health
from xinyidai.foundation.canonical import Json

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
    return document


@cache
def _examples() -> dict[str, Json]:
    found: dict[str, Json] = {}
    models: list[type[BaseModel]] = [Problem, Health, *_wire_schemas()]
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
