"""Returns, grades and notices of arrears: under the token of a firm that consented to them, as known today."""

from datetime import date

import pytest
from builders_town import Town

from city.world.calendar import month_named, name_of
from city.world.filings import TaxFiling, tax_arrears, tax_grades
from city.world.observing import shown

TODAY = date(2025, 6, 16)
ALL = "vat_invoices tax_filing tax_grade tax_arrears"


async def a_token(town: Town, scope: str) -> str:
    return str((await town.token(await town.consent(scope))).json()["access_token"])


def text(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


async def test_returns_are_read_by_month_and_page(town: Town) -> None:
    token = await a_token(town, "tax_filing")
    found = shown(1, town.firm, "tax_filing", month_named("2024-01"), month_named("2025-04"), TODAY)
    wanted = [row for row in found if isinstance(row, TaxFiling)]

    pages = [
        (
            await town.tax("filings", token, **{"from": "2024-01", "to": "2025-04", "page": page, "page_size": "11"})
        ).json()
        for page in ("1", "2")
    ]

    assert [row for page in pages for row in page["rows"]] == [
        {
            "month": name_of(row.month),
            "tax_kind": row.tax_kind,
            "declared_sales_yuan": text(row.declared_sales_fen),
            "paid_yuan": text(row.paid_fen),
            "filed_on": row.filed_on.isoformat(),
        }
        for row in wanted
    ]
    assert (pages[0]["pages"], pages[0]["covers"]) == (2, {"from": "2024-01", "to": "2025-04"})


async def test_a_return_shows_from_the_eighteenth_on(town: Town) -> None:
    token = await a_token(town, "tax_filing")
    asked = {"from": "2025-05", "to": "2025-05"}

    before = (await town.tax("filings", token, **asked)).json()["rows"]
    await town.control("/clock", act="set", business_at="2025-06-18T09:00:00+08:00")
    after = (await town.tax("filings", token, **asked)).json()["rows"]

    assert (before, {row["month"] for row in after}) == ([], {"2025-05"})


async def test_grades_and_notices_are_all_that_is_published(town: Town) -> None:
    token = await a_token(town, ALL)

    grades = (await town.tax("grades", token)).json()
    notices = (await town.tax("arrears", token)).json()

    assert grades["rows"] == [{"year": one.year, "grade": one.grade} for one in tax_grades(1, town.firm, TODAY)]
    assert [row["owed_yuan"] for row in notices["rows"]] == [
        text(one.owed_fen) for one in tax_arrears(1, town.firm, TODAY)
    ]
    assert len(grades["rows"]) > 2


@pytest.mark.parametrize("what", ["filings", "grades", "arrears"])
async def test_a_yes_to_invoices_opens_nothing_else_and_the_other_way_round(town: Town, what: str) -> None:
    invoices, other = await a_token(town, "vat_invoices"), await a_token(town, "tax_filing tax_grade tax_arrears")
    span = {"from": "2025-01", "to": "2025-02"}

    refused = [await town.tax(what, invoices, **span), await town.tax("invoices", other, **span)]
    allowed = [await town.tax("invoices", invoices, **span), await town.tax(what, other, **span)]

    assert [(one.status_code, one.json()["error"]) for one in refused] == [(403, "insufficient_scope")] * 2
    assert [one.status_code for one in allowed] == [200, 200]


@pytest.mark.parametrize(
    ("what", "query"), [("filings", {"from": "2025-13"}), ("grades", {"page": "0"}), ("arrears", {"page_size": "501"})]
)
async def test_questions_that_make_no_sense_are_refused(town: Town, what: str, query: dict[str, str]) -> None:
    answer = await town.tax(what, await a_token(town, ALL), **query)

    assert answer.status_code == 422


async def test_a_firm_of_the_city_says_yes_to_all_tax_items(town: Town) -> None:
    code = town.city.authorise(town.firm.credit_code)

    assert (await town.token(code)).json()["scope"] == ALL


async def test_every_read_is_written_down(town: Town) -> None:
    token = await a_token(town, ALL)

    for what in ("grades", "arrears"):
        await town.tax(what, token)

    assert [what for _, _, what in town.city.store.readings(town.firm.credit_code)] == [
        "grades page 1",
        "arrears page 1",
    ]
