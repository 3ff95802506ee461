"""The doors of consents."""

from datetime import datetime

from builders_doors import a_door
from builders_parties import a_firm, a_lender
from conftest import Database

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as_platform
from xinyidai.consents.routes import router
from xinyidai.foundation.database import in_transaction


async def two_parties(database: Database, noon: datetime) -> tuple[Viewer, Viewer]:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        return await a_firm(session, now=noon), (await a_lender(session, now=noon)).maker


async def test_a_firm_reads_the_text_agrees_and_takes_it_back(database: Database, noon: datetime) -> None:
    firm, bank = await two_parties(database, noon)

    async with a_door(database, router, firm, now=noon) as client:
        shown = (await client.get("/consents/text", params={"purpose": "pre_loan"})).json()
        body = {
            "purpose": "pre_loan",
            "item_codes": ["vat_invoice"],
            "receiver_ids": [str(bank.organisation_id)],
            "expires_at": "2025-12-16T04:00:00Z",
            "text_digest": shown["digest"],
        }
        granted = await client.post("/consents", json=body)
        listed = (await client.get("/consents")).json()
        revoked = await client.post(f"/consents/{granted.json()['id']}/revoke")
    async with a_door(database, router, bank, now=noon) as client:
        seen = await client.get(f"/consents/{granted.json()['id']}")

    assert (granted.status_code, granted.json()["data_life_days"]) == (201, 366)
    assert [consent["id"] for consent in listed["consents"]] == [granted.json()["id"]]
    assert (revoked.status_code, revoked.json()["state"]) == (200, "revoked")
    assert seen.json()["state"] == "revoked"


NOT_TO_BE_CONSENTED_TO: list[tuple[dict[str, object], int, str]] = [
    ({"expires_at": "2027-06-16T04:00:01Z"}, 422, "consent_too_wide"),
    ({"expires_at": "2025-06-16T04:00:00Z"}, 422, "consent_empty"),
    ({"item_codes": []}, 422, "consent_empty"),
    ({"data_life_days": 367}, 422, "consent_too_wide"),
    ({"data_life_days": 0}, 422, "input_refused"),
    ({"item_codes": ["bank_flow"]}, 422, "item_not_listed"),
    ({"receiver_ids": ["01976f2c-1111-7c55-9a53-0c7d0a5f2b11"]}, 422, "receiver_unfit"),
    ({"text_digest": "0" * 64}, 409, "consent_text_outdated"),
    ({"text_digest": "short"}, 422, "input_refused"),
    ({"purpose": "anything"}, 422, "input_refused"),
    ({"purpose": ["pre_loan", "post_loan"]}, 422, "input_refused"),
    ({"extra": 1}, 422, "input_refused"),
]


async def test_what_cannot_be_consented_to_is_refused_by_code_and_nothing_is_written(
    database: Database, noon: datetime
) -> None:
    firm, bank = await two_parties(database, noon)

    async with a_door(database, router, firm, now=noon) as client:
        shown = (await client.get("/consents/text", params={"purpose": "pre_loan"})).json()
        body = {
            "purpose": "pre_loan",
            "item_codes": ["vat_invoice"],
            "receiver_ids": [str(bank.organisation_id)],
            "expires_at": "2025-12-16T04:00:00Z",
            "text_digest": shown["digest"],
        }
        answers = [
            await client.post("/consents", json=body | change) for change, _status, _code in NOT_TO_BE_CONSENTED_TO
        ]
        listed = (await client.get("/consents")).json()

    found = [(answer.status_code, answer.json()["code"]) for answer in answers]
    assert found == [(status, code) for _change, status, code in NOT_TO_BE_CONSENTED_TO]
    assert listed["consents"] == []


async def test_a_bank_neither_gives_nor_takes_back_consent(database: Database, noon: datetime) -> None:
    _firm, bank = await two_parties(database, noon)

    async with a_door(database, router, bank, now=noon) as client:
        answers = [await client.post("/consents", json={}), await client.post(f"/consents/{bank.principal_id}/revoke")]

    assert [answer.status_code for answer in answers] == [403, 403]
