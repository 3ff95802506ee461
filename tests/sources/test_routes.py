"""The doors of sources: deliveries by HTTP."""

from datetime import datetime
from pathlib import Path
from uuid import UUID

from builders_consents import a_consenting_firm
from builders_doors import a_door
from builders_parties import a_credit_code
from builders_sources import a_csv, a_row, an_agency, rows_of
from conftest import Database

from xinyidai.access.rules import OrganisationKind, PrincipalKind, Role, Viewer
from xinyidai.access.service import act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.sources.routes import router

CODE = a_credit_code()


async def a_key(database: Database, noon: datetime, *scopes: str) -> Viewer:
    """Return an agency's API client, beside a firm that consented."""
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        agency = await an_agency(session, now=noon)
        await a_consenting_firm(session, credit_code=CODE, now=noon)
    return Viewer(
        UUID(int=9),
        PrincipalKind.CLIENT,
        agency.organisation_id,
        OrganisationKind.AGENCY,
        frozenset({Role.OFFICER}),
        frozenset(scopes or ("sources:write", "sources:read")),
    )


async def test_rows_by_http_are_counted_and_the_bad_ones_can_be_fetched(database: Database, noon: datetime) -> None:
    key = await a_key(database, noon)
    rows = [a_row(CODE), a_row(CODE, invoice_no="2", net_yuan="1e400"), a_row(CODE, invoice_no="3", net_yuan="NaN")]

    async with a_door(database, router, key, now=noon) as client:
        delivered = await client.post("/sources/vat-invoices", json={"rows": rows})
        again = await client.post("/sources/vat-invoices", json={"rows": rows})
        place = f"/sources/deliveries/{delivered.json()['delivery_id']}"
        shown = await client.get(place)
        aside = await client.get(f"{place}/rejected-rows")
        listed = await client.get("/sources/deliveries")

    report = delivered.json()
    assert delivered.status_code == 201
    assert (report["received"], report["loaded"], report["rejected"]) == (3, 1, {"bad_amount": 2})
    assert again.json() == report | {"is_repeat": True}
    assert shown.json() == report
    assert [(row["line_no"], row["faults"]) for row in aside.json()["rows"]] == [
        (2, ["bad_amount"]),
        (3, ["bad_amount"]),
    ]
    assert len(listed.json()["deliveries"]) == 1


async def test_a_csv_body_is_taken_in(database: Database, noon: datetime, tmp_path: Path) -> None:
    key = await a_key(database, noon)
    body = a_csv(tmp_path, rows_of(CODE, 3)).read_bytes()

    async with a_door(database, router, key, now=noon) as client:
        headers = {"content-type": "text/csv"}
        whole = await client.post("/sources/vat-invoices/csv", content=body, headers=headers)
        half = await client.post("/sources/vat-invoices/csv", content=body[:-9], headers=headers)
        nothing = await client.post("/sources/vat-invoices/csv", content=b"", headers=headers)
        huge = await client.post("/sources/vat-invoices/csv", content=b"x" * (1024**2 + 1), headers=headers)

    assert (whole.status_code, whole.json()["loaded"]) == (201, 3)
    assert (half.status_code, half.json()["code"]) == (422, "file_cut_in_half")
    assert (nothing.status_code, nothing.json()["code"]) == (422, "file_empty")
    assert huge.status_code == 413


BODIES_OF_ANOTHER_SHAPE: list[dict[str, object]] = [
    {"rows": []},
    {"rows": [{"net_yuan": 1.5}]},
    {"rows": [{"credit_code": "x" * 65}]},
    {"rows": [{"unknown": "1"}]},
    {"rows": [{}] * 1001},
    {"kind": "anything", "rows": [{}]},
]


async def test_calls_of_another_shape_are_refused(database: Database, noon: datetime) -> None:
    key = await a_key(database, noon)

    async with a_door(database, router, key, now=noon) as client:
        answers = [await client.post("/sources/vat-invoices", json=body) for body in BODIES_OF_ANOTHER_SHAPE]
        listed = await client.get("/sources/deliveries")

    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(422, "input_refused")}
    assert listed.json()["deliveries"] == []


async def test_a_number_that_is_none_is_refused_before_it_is_a_row(database: Database, noon: datetime) -> None:
    key = await a_key(database, noon)

    async with a_door(database, router, key, now=noon) as client:
        answers = [
            await client.post("/sources/vat-invoices", content=body, headers={"content-type": "application/json"})
            for body in (b'{"rows":[{"net_yuan":1e400}]}', b'{"rows":[{"net_yuan":NaN}]}', b"\xff")
        ]

    assert [answer.status_code // 100 for answer in answers] == [4, 4, 4]


async def test_a_key_without_the_scope_delivers_nothing(database: Database, noon: datetime) -> None:
    key = await a_key(database, noon, "sources:read")

    async with a_door(database, router, key, now=noon) as client:
        answer = await client.post("/sources/vat-invoices", json={"rows": [a_row(CODE)]})

    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
