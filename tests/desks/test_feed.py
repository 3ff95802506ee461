"""What visitors of a sandbox see of the platform's life: kinds, districts, banks, bands; never a firm."""

from datetime import datetime

import pytest
from builders_databases import a_furnished_clone
from builders_desks import a_full_desk, a_reader

from xinyidai.access.service import act_as_platform
from xinyidai.desks.queries import band_of
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.embedded import PostgresServer
from xinyidai.parties import queries as parties


async def test_the_feed_names_no_firm(cluster: PostgresServer, noon: datetime) -> None:
    async with a_furnished_clone(cluster, a_full_desk, now=noon) as (database, desk):
        async with in_transaction(database.worker) as session:
            await act_as_platform(session, now=noon)
            firm = await parties.party(session, desk.firm.organisation_id)
            bank = await parties.party(session, desk.banks[0].id)

        async with a_reader(database, desk.firm, now=noon) as reader:
            page = await reader.read("/live/feed")

    assert "银行发出报价" in page
    assert "银行放款" in page
    assert bank.name in page
    assert "50–100 万元" in page
    assert firm.name not in page
    assert str(firm.credit_code) not in page
    assert str(firm.id) not in page


@pytest.mark.parametrize(
    ("fen", "band"), [(None, None), (1, 0), (9_999_999, 0), (10_000_000, 1), (50_000_000, 2), (300_000_000, 4)]
)
def test_amounts_are_told_as_bands(fen: int | None, band: int | None) -> None:
    assert band_of(fen) == band
