"""The digest of what is held from sources: the same facts have one, however and whenever they came."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random

import pytest
from builders_consents import a_consent
from builders_engines import lent_sessions
from builders_parties import a_credit_code, a_firm
from builders_sources import Row, a_record, an_agency, rows_of
from conftest import Database, a_clone
from hypothesis import given
from hypothesis import strategies as st

from xinyidai.access.service import act_as, act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.embedded import PostgresServer
from xinyidai.foundation.settings import DatabaseRole
from xinyidai.sources import service
from xinyidai.sources.queries.holdings import digest_of_holdings
from xinyidai.sources.rules import ITEM, DeliveryKind
from xinyidai.sources.rules.holdings import lines_of

CODE, OTHER = a_credit_code(), a_credit_code()
ELECTRICITY = DeliveryKind("electricity")
MONTHS = [a_record("electricity", CODE, month=f"2025-0{month}") for month in (1, 2, 3)]
Deliveries = Sequence[tuple[DeliveryKind, Sequence[Row]]]


async def digest_after(database: Database, deliveries: Deliveries, *, codes: Sequence[str], now: datetime) -> str:
    """Return the digest after these deliveries, an hour apart, about firms registered in this order."""
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=now)
        agency = await an_agency(session, now=now)
        for code in codes:
            firm = await a_firm(session, credit_code=code, now=now)
            await a_consent(session, firm, item_codes=("vat_invoice", "electricity"), now=now)
    for hour, (kind, rows) in enumerate(deliveries):
        async with in_transaction(database.app) as session:
            at = now + timedelta(hours=hour)
            await act_as(session, agency, now=at)
            await service.receive_rows(session, agency, rows, kind=kind, now=at)
    async with lent_sessions(database.settings, DatabaseRole.AUDITOR) as auditor, in_transaction(auditor) as session:
        return await digest_of_holdings(session)


@pytest.mark.parametrize(
    ("deliveries", "is_same"),
    [
        ([(ELECTRICITY, MONTHS[::-1]), (DeliveryKind.VAT_INVOICE, [*rows_of(OTHER, 2), *rows_of(CODE, 3)])], True),
        ([(DeliveryKind.VAT_INVOICE, rows_of(CODE, 3)), (ELECTRICITY, MONTHS)], False),
    ],
)
async def test_facts_have_one_digest_in_whatever_order_they_came(
    cluster: PostgresServer, noon: datetime, deliveries: Deliveries, is_same: bool
) -> None:
    first: Deliveries = [
        (DeliveryKind.VAT_INVOICE, rows_of(CODE, 3)),
        (ELECTRICITY, MONTHS[:1]),
        (ELECTRICITY, MONTHS[1:]),
        (DeliveryKind.VAT_INVOICE, rows_of(OTHER, 2)),
    ]

    async with a_clone(cluster) as one, a_clone(cluster) as another:
        held = await digest_after(one, first, codes=[CODE, OTHER], now=noon)
        again = await digest_after(another, deliveries, codes=[OTHER, CODE], now=noon)

    assert (held == again) is is_same


@given(st.lists(st.tuples(st.text(max_size=3), st.integers() | st.none()), max_size=6), st.randoms())
def test_lines_tell_facts_apart_and_hang_on_no_order(facts: list[tuple[str, int | None]], disorder: Random) -> None:
    shuffled = sorted(facts, key=lambda _: disorder.random())

    lines = lines_of(ITEM, CODE, facts)

    assert lines == lines_of(ITEM, CODE, shuffled)
    assert len(set(lines)) == len({(text, None if number is None else str(number)) for text, number in facts})
