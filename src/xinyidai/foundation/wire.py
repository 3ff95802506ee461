"""Numbers and truth values from outside, taken as they stand: never a text read as a number, never 1.0 as 1.

The web framework validates bodies with ``strict=False``, which overrides pydantic's own `StrictInt` and `StrictBool`.
"""

from typing import Annotated

from pydantic import BeforeValidator


def _as_whole(value: object) -> object:
    if type(value) is not int:
        raise ValueError("must be a whole number")
    return value


def _as_truth(value: object) -> object:
    if type(value) is not bool:
        raise ValueError("must be true or false")
    return value


WholeNumber = Annotated[int, BeforeValidator(_as_whole)]
TrueOrFalse = Annotated[bool, BeforeValidator(_as_truth)]
