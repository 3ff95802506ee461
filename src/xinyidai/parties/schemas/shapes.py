"""What the schemas of the room share: bounded fields and ids for examples."""

from typing import Annotated

from pydantic import ConfigDict, Field, StrictInt
from pydantic.config import JsonDict

from xinyidai.access.rules import Role
from xinyidai.foundation.money import MAX_FEN

Text = Annotated[str, Field(min_length=1, max_length=200)]
Typed = Annotated[str, Field(min_length=1, max_length=1_000)]
Code = Annotated[str, Field(min_length=1, max_length=64)]
Roles = Annotated[list[Role], Field(min_length=1, max_length=len(Role))]
Amount = Annotated[StrictInt, Field(ge=0, le=MAX_FEN)]
Staff = Annotated[StrictInt, Field(ge=0, le=10_000_000)]

ID = "01976f2c-8a1e-7c55-9a53-0c7d0a5f2b11"
USER_ID = "01976f2c-8a1e-7c55-9a53-0c7d0a5f2b12"
ORGANISATION: JsonDict = {"party_id": ID, "kind": "lender", "name": "重庆示例银行股份有限公司", "roles": ["officer"]}
ME: JsonDict = {
    "principal_id": USER_ID,
    "principal_kind": "user",
    "organisation_id": ID,
    "organisation_kind": "lender",
    "roles": ["officer"],
    "scopes": [],
    "proved_at": "2025-06-16T04:00:00Z",
    "organisations": [ORGANISATION],
}
CREDIT_CODE = "91500103000000001Q"


def with_example(example: JsonDict) -> ConfigDict:
    """Return the configuration of a schema: nothing unknown comes in, and an example goes out."""
    return ConfigDict(extra="forbid", json_schema_extra={"example": example})
