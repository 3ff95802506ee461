"""What most tests of matching begin with."""

from collections.abc import AsyncGenerator
from datetime import datetime

import pytest
from builders_databases import a_furnished_clone
from builders_matching import Asked, a_bank_that_is_asked

from xinyidai.access.service import act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.embedded import PostgresServer


@pytest.fixture
async def asked(cluster: PostgresServer, noon: datetime) -> AsyncGenerator[Asked]:
    """Return a bank that a firm's demand lies before; what the test does commits when it has passed."""
    async with (
        a_furnished_clone(cluster, a_bank_that_is_asked, now=noon) as (database, (bank, firm, dispatch)),
        in_transaction(database.worker) as session,
    ):
        await act_as_platform(session, now=noon)
        yield Asked(session, bank, firm, dispatch)
