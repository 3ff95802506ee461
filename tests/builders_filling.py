"""What a route's parameters, query and body are filled with: ids that exist, examples of the description, real forms.

A parameter ``<word>_id`` is looked up in the table named for the word, the planted firm's rows first, so that a new
route needs nothing here.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice, product
from typing import Final, cast
from urllib.parse import urlencode
from uuid import uuid4

import asyncpg
from builders_callers import PARAMETER, Door, seen_in
from builders_canaries import FIRM, Planted

from xinyidai.foundation.pages.assets import asset_url
from xinyidai.profiles import model

Json = object
MOST_ROWS: Final = 8
MOST_ADDRESSES: Final = 8
BOUNDARY: Final = "a-boundary-of-tests"
A_DAY: Final = "2025-06-16"

TABLES: Final = {
    "api_client": ("client_id", "key_id"),
    "code_exception": ("exception_id",),
    "account_recovery": ("recovery_id",),
    "review_request": ("review_id",),
    "web_session": ("session_id",),
    "platform_user": ("user_id",),
    "party": ("payer_id", "sender_id", "receiver_id", "lender_id", "guarantor_id", "fund_id"),
}
"""Words that are not how their table ends."""
WORDS: Final[Mapping[str, Sequence[str]]] = {
    "name": ("tests.remember",),
    "language": ("en",),
    "token": ("a-token-that-nobody-was-given",),
    "item_code": ("vat_invoice", "electricity"),
    "kind": ("csv", "xlsx", "pdf"),
    "month": ("2025-06",),
    "year": ("2025",),
    "table": ("findings", "reconciliation", "drift", "bank", "month"),
    "path": ("nothing",),
    "source": ("tax", "utilities"),
    "rule_code": ("electricity.tariff",),
    "indicator": tuple(text.code for text in model.indicator_texts()[:1]),
    "reference": ("a reference",),
}
QUERIES: Final[Mapping[str, str]] = {"date": A_DAY, "date-time": f"{A_DAY}T04:00:00Z"}


@dataclass
class Filling:
    """Looks up what exists, once for each word."""

    admin: asyncpg.Connection
    planted: Planted
    schemas: Mapping[str, Mapping[str, Json]]
    known: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    async def addresses(self, door: Door) -> list[str]:
        """Return the door's addresses, for what exists; with and without the query that names the firm."""
        names = PARAMETER.findall(door.path)
        values = [await self.values(door, name) for name in names]
        assert all(values), f"{door}: nothing is planted for {dict(zip(names, values, strict=True))}"
        plain = [PARAMETER.sub(lambda _: next(one), door.path) for one in map(iter, product(*values))]  # noqa: B023
        found = []
        for path in islice(plain, MOST_ADDRESSES):
            needed, all_of_it = await self._query(door, needed_only=True), await self._query(door, needed_only=False)
            found += [path + needed, *([path + all_of_it] if all_of_it != needed else [])]
        return found

    async def values(self, door: Door, name: str) -> list[str]:
        """Return what a parameter may be."""
        place = "outbox" if "operat" in door.path and name == "delivery_id" else door.path
        if "provider-keys" in door.path and name == "key_id":
            name = "provider_key_id"
        key = (name, place if name in {"code", "delivery_id", "digest", "name"} else "")
        if key not in self.known:
            self.known[key] = await self._look_up(place, name)
        return self.known[key]

    async def _look_up(self, place: str, name: str) -> list[str]:
        if name in {"party_id", "organisation_id"}:
            return [str(one) for one in self.planted.party_ids.values()]
        if name in {"delivery_no", "line_no"}:
            return sorted({str(getattr(one, name)) for one in self.planted.refs[:2]})
        if name == "firm_id":
            return [str(self.planted.party_ids[FIRM])]
        if name == "fact":
            return [f"invoice_fact:{one.firm_id}/{one.delivery_no}.{one.line_no}" for one in self.planted.refs[:2]]
        if "static" in place:
            return [asset_url("pages.css").split("/")[{"digest": 2, "name": 3}[name]]]
        if name == "digest":
            return await self._rows("SELECT digest FROM scoring.model_release")
        if name == "code":
            return await self._codes(place)
        if name in WORDS:
            return list(WORDS[name])
        if place == "outbox":
            return await self._rows("SELECT id::text FROM foundation.outbox_delivery WHERE state = 'parked'")
        return await self._ids(name)

    async def _codes(self, place: str) -> list[str]:
        if "consents" in place:
            return ["vat_invoice", "electricity"]
        if "regions" in place:
            return await self._rows("SELECT code FROM parties.region ORDER BY code LIMIT 1")
        return [text.code for text in model.indicator_texts()[:2]]

    async def _ids(self, name: str) -> list[str]:
        """Return ids of the table that a word names; the firm's first."""
        word = name.removesuffix("_id")
        tables = [table for table, names in TABLES.items() if name in names] or [word]
        found = await self.admin.fetch(
            "SELECT table_schema, table_name, bool_or(column_name = 'firm_id') AS of_firm"
            " FROM information_schema.columns WHERE table_name = ANY($1)"
            " AND table_schema NOT IN ('pg_catalog', 'information_schema')"
            " GROUP BY 1, 2 HAVING bool_or(column_name = 'id') ORDER BY table_schema = 'foundation', 1",
            tables,
        )
        rows: list[str] = []
        for row in found[:1]:
            order = f"firm_id <> '{self.planted.party_ids[FIRM]}', id" if row["of_firm"] else "id DESC"
            rows += await self._rows(
                f"SELECT id::text FROM {row['table_schema']}.{row['table_name']} ORDER BY {order} LIMIT {MOST_ROWS}"
            )
        return rows

    async def _rows(self, statement: str) -> list[str]:
        return [str(row[0]) for row in await self.admin.fetch(statement)]

    async def _query(self, door: Door, *, needed_only: bool) -> str:
        """Return a query of what the description asks for: what must be there, or everything that narrows or widens."""
        told = {}
        for one in cast("list[dict[str, Json]]", door.operation.get("parameters", [])):
            name = str(one["name"])
            is_wanted = one["required"] or (not needed_only and name.endswith("_id"))
            if one["in"] == "query" and is_wanted:
                told[name] = await self._query_value(door, name, cast("dict[str, Json]", one["schema"]))
        return f"?{urlencode(told)}" if told else ""

    async def _query_value(self, door: Door, name: str, schema: Mapping[str, Json]) -> str:
        named = re.search(r"#/components/schemas/(\w+)", json.dumps(schema))
        whole = self.schemas[named.group(1)] if named else schema
        if "enum" in whole:
            return str(cast("list[str]", whole["enum"])[0])
        formatted = QUERIES.get(str(whole.get("format", "")))
        return formatted or (await self.values(door, name) or ["nothing"])[0]

    async def body(self, door: Door) -> tuple[bytes, str]:
        """Return the example of a door's body with ids that exist, and its type."""
        asked = cast("dict[str, dict[str, dict[str, Json]]]", door.operation.get("requestBody", {}))
        for kind, told in asked.get("content", {}).items():
            if kind == "application/json":
                name = json.dumps(told).split("#/components/schemas/")[-1].split('"')[0]
                example = cast("list[Json]", self.schemas[name].get("examples", [{}]))[0]
                return json.dumps(await self._living(door, example)).encode(), kind
            if kind == "text/csv":
                one = next(iter(cast("dict[str, dict[str, str]]", told["examples"]).values()))
                return one["value"].encode(), kind
            return _a_file(), f"{kind}; boundary={BOUNDARY}"
        return b"{}", "application/json"

    async def _living(self, door: Door, example: Json, name: str = "") -> Json:
        if isinstance(example, dict):
            return {key: await self._living(door, value, key) for key, value in example.items()}
        if isinstance(example, list):
            return [await self._living(door, one, name.removesuffix("s")) for one in example]
        if name in {"delivery_no", "line_no"}:
            return int((await self.values(door, name))[0])
        is_id = isinstance(example, str) and re.fullmatch(r"[0-9a-f-]{36}", example)
        found = await self.values(door, name) if is_id else []
        return found[0] if found else example

    def form(self, fields: Mapping[str, Sequence[str]]) -> bytes:
        """Return a form filled in as it was shown, without any canary that stood in it, and with what is missing."""
        told = {"form_token": str(uuid4())}
        for name, shown in fields.items():
            value = next((one for one in reversed(shown) if one), "") if name != "form_token" else told["form_token"]
            told[name] = "改" if seen_in(value, self.planted.canaries) else value or guessed(name)
        return urlencode(told).encode()


def guessed(name: str) -> str:
    """Return something for a field that was shown empty."""
    for ending, value in (("_on", A_DAY), ("_by", "2025-08-16"), ("_months", "12"), ("rate", "4.2"), ("amount", "50")):
        if ending in name:
            return value
    return "测试用语，不含任何真实内容"


def _a_file() -> bytes:
    return (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n'
        f"Content-Type: application/pdf\r\n\r\n%PDF-1.7\n% x\nstartxref\n0\n%%EOF\n\r\n--{BOUNDARY}--\r\n"
    ).encode()
