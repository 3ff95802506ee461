"""Documents over HTTP: handed in as a form's file, fetched as something to save and never to run."""

from datetime import datetime

from builders_documents import a_pdf
from builders_doors import a_door
from builders_parties import a_firm
from conftest import Database

from xinyidai.access.service import act_as_platform
from xinyidai.documents.routes import router
from xinyidai.documents.rules import MAX_BYTES
from xinyidai.foundation.database import in_transaction


async def test_a_document_goes_through_the_door_and_back(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        firm, other = await a_firm(session, now=noon), await a_firm(session, now=noon)
    file = {"file": ("判决书.pdf", a_pdf(), "text/html")}

    async with a_door(database, router, firm, now=noon) as door:
        handed = await door.post("/documents", files=file)
        path = f"/documents/{handed.json()['id']}"
        shown, fetched, listed = await door.get(path), await door.get(f"{path}/content"), await door.get("/documents")
    async with a_door(database, router, other, now=noon) as door:
        hidden = [(await door.get(one)).status_code for one in (path, f"{path}/content")]
    async with a_door(database, router, firm, now=noon) as door:
        destroyed, gone = await door.post(f"{path}/destroy"), await door.get(f"{path}/content")

    assert handed.status_code == 201
    assert handed.json() == shown.json() == listed.json()["documents"][0]
    assert fetched.content == a_pdf()
    assert fetched.headers["content-type"] == "application/pdf"
    assert fetched.headers["content-disposition"].startswith("attachment; ")
    assert "filename*=UTF-8''%E5%88%A4%E5%86%B3%E4%B9%A6.pdf" in fetched.headers["content-disposition"]
    assert fetched.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in fetched.headers["content-security-policy"]
    assert hidden == [404, 404]
    assert (destroyed.json()["name"], gone.status_code, gone.json()["code"]) == (None, 410, "document_destroyed")


async def test_what_is_refused_is_refused_with_its_code(database: Database, noon: datetime) -> None:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        firm = await a_firm(session, now=noon)
    refused = {
        "document_empty": ("a.pdf", b""),
        "document_type_refused": ("a.pdf", b"<script>alert(1)</script>"),
        "document_name_disagrees": ("a.png", a_pdf()),
        "document_name_refused": ("a\u202e.pdf", a_pdf()),
        "document_too_large": ("a.pdf", a_pdf() + bytes(MAX_BYTES)),
    }

    async with a_door(database, router, firm, now=noon) as door:
        answers = {code: await door.post("/documents", files={"file": file}) for code, file in refused.items()}
        nothing = await door.post("/documents", data={"other": "x"})
        enormous = await door.post("/documents", files={"file": ("a.pdf", bytes(MAX_BYTES + (1 << 20)))})

    assert {code: answer.json()["code"] for code, answer in answers.items()} == {code: code for code in refused}
    assert nothing.status_code == 400
    assert enormous.status_code == 413
