"""The town that tests of the city play in."""

from collections.abc import AsyncGenerator
from pathlib import Path

import httpx2
import pytest
from builders_town import BACK, CLIENT, CONTROL, OFFICES, QUOTA, SECRET, START, Called, Town, Wall

from city.clock import Mode
from city.living.city import City, Ground
from city.providers.app import create_app
from city.providers.quotas import Quotas
from city.world.population import make_firms


@pytest.fixture(params=[Mode.LOCKSTEP])
async def town(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncGenerator[Town]:
    """Open a city of forty firms in which nobody is heard; a test may ask for another mode.

    The firm with a secret has something at every office; the other actor wants a loan within the year.
    """
    firms = make_firms(1, 40)
    wall, called = Wall(), Called()
    (tmp_path / "city.toml").write_text(
        f'seed = 1\nmode = "{request.param.value}"\nplatform_url = "http://127.0.0.1:9"\n'
        f'[tax]\nclient_id = "{CLIENT}"\nclient_secret = "{SECRET}"\nredirect_uris = ["{BACK}"]\n{OFFICES}'
        f'[[actors]]\ncredit_code = "{firms[2].credit_code}"\nkind = "{firms[2].kind}"\nparty_id = "p"\n'
        'maker_key = "k"\ncity_secret = "firm secret"\n'
        f'[[actors]]\ncredit_code = "{firms[0].credit_code}"\nkind = "{firms[0].kind}"\nparty_id = "q"\n'
        'maker_key = "l"\n',
        encoding="utf-8",
    )
    city = City.found(Ground(tmp_path, 1, 40, request.param, START, wall=wall))
    app = create_app(city, control_token=CONTROL, quotas=Quotas(QUOTA), wire=called, hang_seconds=0.01)
    transport = httpx2.ASGITransport(app)  # type: ignore[arg-type]
    async with app.lifespan(), httpx2.AsyncClient(transport=transport, base_url="http://city") as http:
        yield Town(city, http, wall, firms[2], firms[3], tmp_path, app, called)
