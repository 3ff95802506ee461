"""The books over HTTP: who may read which of them."""

import pytest
from builders_doors import a_door
from builders_ledger import NOON, a_posting, a_viewer, an_account, post_committed
from conftest import Database

from xinyidai.access.rules import OrganisationKind, Viewer
from xinyidai.access.service import act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.ledger.routes import router

FUND = a_viewer(OrganisationKind.FUND, "fund")
LENDER = a_viewer(OrganisationKind.LENDER, "lender")
FIRM = a_viewer(OrganisationKind.FIRM, "firm")
OPERATOR = a_viewer(OrganisationKind.OPERATOR, "operator")


@pytest.fixture
async def fund(database: Database) -> int:
    """Pay 100 fen into a fund."""
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=NOON)
        account_id = await an_account(session, "cash:fund", owner_id=FUND.organisation_id, floor_fen=0)
        world = await an_account(session, "cash:world")
    await post_committed(database.app, a_posting("k", (account_id, 100), (world, -100), kind="paid_in"))
    return account_id


async def test_operator_reads_the_trial_balance(database: Database, fund: int) -> None:
    async with a_door(database, router, OPERATOR, now=NOON) as door:
        answer = await door.get("/ledger/trial-balance")

    assert answer.status_code == 200
    assert answer.json() == {
        "books": [{"book": "cash", "accounts": 2, "positive_fen": 100, "negative_fen": -100, "imbalance_fen": 0}]
    }


async def test_fund_reads_its_own_account_and_entries(database: Database, fund: int) -> None:
    async with a_door(database, router, FUND, now=NOON) as door:
        accounts = (await door.get("/ledger/accounts", params={"prefix": "cash:"})).json()
        entries = (await door.get(f"/ledger/accounts/{fund}/entries")).json()

    assert [(account["code"], account["balance_fen"]) for account in accounts["accounts"]] == [("cash:fund", 100)]
    assert [(entry["kind"], entry["amount_fen"]) for entry in entries["entries"]] == [("paid_in", 100)]
    assert entries["next_cursor"] is None


REFUSED: list[tuple[Viewer | None, str, int, str]] = [
    (None, "/ledger/accounts", 401, "sign_in_needed"),
    (FIRM, "/ledger/accounts", 403, "not_allowed"),
    (FUND, "/ledger/trial-balance", 403, "not_allowed"),
    (LENDER, "/ledger/accounts/1/entries", 404, "account_unknown"),
    (OPERATOR, "/ledger/accounts/9999/entries", 404, "account_unknown"),
    (OPERATOR, "/ledger/accounts/9223372036854775808/entries", 404, "account_unknown"),
    (OPERATOR, "/ledger/accounts/-1/entries", 404, "account_unknown"),
    (OPERATOR, "/ledger/accounts?prefix=%00", 422, "account_refused"),
    (OPERATOR, "/ledger/accounts?cursor=x", 422, "cursor_refused"),
]


async def test_what_is_not_theirs_or_malformed_is_refused(database: Database, fund: int) -> None:
    answers = []
    for viewer, path, _status, _code in REFUSED:
        async with a_door(database, router, viewer, now=NOON) as door:
            answers.append(await door.get(path))

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (status, code) for _viewer, _path, status, code in REFUSED
    ]
