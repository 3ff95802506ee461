"""The town that tests of the city play in."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from builders_town import Town, a_town

from city.clock import Mode


@pytest.fixture(params=[Mode.LOCKSTEP])
async def town(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncGenerator[Town]:
    """Open the town; a test may ask for another mode."""
    async with a_town(tmp_path, mode=request.param) as opened:
        yield opened
