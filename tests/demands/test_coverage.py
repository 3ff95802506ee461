"""Coverage on a real database: a firm sees its own, and why something is not there."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from builders_consents import a_consent
from builders_parties import a_credit_code, a_firm
from builders_sources import a_record, an_agency, rows_of
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.consents import service as consents
from xinyidai.demands import coverage
from xinyidai.demands.schemas import CoveragePageOut
from xinyidai.sources import service as sources
from xinyidai.sources.rules import DeliveryKind
from xinyidai.sources.rules.coverage import Coverage, WhyNot


@dataclass(frozen=True)
class Place:
    """A firm that consented to invoices and electricity; five invoices came."""

    session: AsyncSession
    firm: Viewer
    consent_id: UUID

    async def covered(self, at: datetime) -> dict[str, Coverage]:
        """Return its coverage as the firm sees it."""
        await act_as(self.session, self.firm, now=at)
        return {one.item_code: one for one in await coverage.own_coverage(self.session, self.firm, now=at)}


@pytest.fixture
async def place(session: AsyncSession, noon: datetime) -> AsyncGenerator[Place]:
    code = a_credit_code()
    agency, firm = await an_agency(session, now=noon), await a_firm(session, credit_code=code, now=noon)
    given = await a_consent(session, firm, item_codes=("vat_invoice", "electricity", "water"), now=noon)
    other = await a_firm(session, credit_code=(others := a_credit_code()), now=noon)
    await a_consent(session, other, item_codes=("water",), now=noon)
    for kind, rows in (
        (DeliveryKind.VAT_INVOICE, rows_of(code, 5)),
        (DeliveryKind("tax_grade"), [a_record("tax_grade", code)]),
        (DeliveryKind("water"), [a_record("water", others)]),
    ):
        await act_as(session, agency, now=noon)
        await sources.receive_rows(session, agency, rows, kind=kind, now=noon)
    yield Place(session, firm, given.id)
    await act_as_platform(session, now=noon)


async def test_what_is_there_is_told_with_its_period_and_what_is_not_with_its_reason(
    place: Place, noon: datetime
) -> None:
    found = await place.covered(noon)

    invoices, grade = found["vat_invoice"].delivered, found["tax_grade"].delivered
    assert invoices is not None
    assert grade is not None
    assert (invoices.facts, invoices.covers_from, grade.covers_to) == (5, "2025-03-05", "2024")
    assert found["electricity"].why_not is WhyNot.NOT_CONNECTED
    assert found["water"].why_not is WhyNot.NOTHING_THERE
    assert found["gas"].why_not is WhyNot.NOT_ASKED


async def test_what_was_taken_back_or_ran_out_says_so_and_no_count_is_left(place: Place, noon: datetime) -> None:
    ran_out = await place.covered(noon + timedelta(days=91))
    await act_as(place.session, place.firm, now=noon)
    await consents.withdraw_item(place.session, place.firm, place.consent_id, "vat_invoice", now=noon)
    taken_back = await place.covered(noon + timedelta(seconds=1))

    told = CoveragePageOut.of(list(taken_back.values())).items
    assert ran_out["vat_invoice"].why_not is WhyNot.EXPIRED
    assert taken_back["vat_invoice"].why_not is WhyNot.TAKEN_BACK
    assert next(one for one in told if one.item_code == "vat_invoice").facts is None
