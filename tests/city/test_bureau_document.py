"""The document of the bureau: every route, kind and item is in it, and its worked example is right."""

import hashlib
import re
from pathlib import Path

from builders_town import METERS, Town, hmac_of
from litestar.routes import HTTPRoute

from city.providers.faults import KINDS, Kind
from city.providers.offices import OFFICES

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "bureau.md").read_text(encoding="utf-8")


async def test_every_route_of_the_city_is_in_the_document(town: Town) -> None:
    routes = [
        f"{method} {route.path_format}"
        for route in town.app.routes
        for method in sorted(route.methods - {"OPTIONS"})
        if isinstance(route, HTTPRoute)
    ]

    assert len(routes) > 40
    assert [route for route in routes if not re.search(rf"`{re.escape(route)}[`?]", DOCUMENT)] == []


def test_every_kind_of_fault_is_in_the_table_with_the_offices_that_can_play_it() -> None:
    for kind in Kind:
        row = next(line for line in DOCUMENT.splitlines() if line.startswith(f"| `{kind}` |"))
        marks = [cell.strip() for cell in row.split("|")[3:8]]

        assert marks == ["x" if kind in KINDS[name] else "" for name in KINDS], kind


def test_every_office_and_its_items_are_named() -> None:
    assert all(f"`{item}`" in DOCUMENT for office in OFFICES.values() for item in office.items)


def test_the_worked_example_of_a_signature_is_right() -> None:
    lines = re.search(r"```text\n(GET\n.*?)\n```", DOCUMENT, re.DOTALL)
    assert lines is not None

    assert f"`{hmac_of(METERS, *lines.group(1).split(chr(10)))}`" in DOCUMENT
    assert hashlib.sha256().hexdigest() in lines.group(1)
