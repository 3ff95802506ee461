"""What the city is told of the platform's clients."""

import tomllib
from pathlib import Path

from pydantic import SecretStr

from xinyidai.cli.demo.seeding import CityGround, office_clients, write_city_file
from xinyidai.foundation.settings import settings
from xinyidai.sources.routes import router


def test_the_courts_are_told_where_to_call_back_and_the_customs_are_not(tmp_path: Path) -> None:
    secrets = {f"{office}_client_secret": SecretStr(f"{office} secret") for office in ("courts", "customs")}
    names = {f"{office}_client_id": "xinyidai" for office in ("courts", "customs")}
    known = settings().model_copy(update={"city_url": "http://127.0.0.1:1", **names, **secrets})

    write_city_file(
        tmp_path / "city.toml",
        CityGround(1, "live", ("http://127.0.0.1:8000",), office_clients(known, "http://127.0.0.1:8000")),
    )

    told = tomllib.loads((tmp_path / "city.toml").read_text(encoding="utf-8"))
    path = told["courts"]["callback_url"].removeprefix("http://127.0.0.1:8000/api/v1")
    assert path in {route.path for route in router.routes}
    assert (told["courts"]["client_secret"], told["customs"]["client_secret"]) == ("courts secret", "customs secret")
    assert "callback_url" not in told["customs"]
