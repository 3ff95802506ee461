"""Keys for trying the API after the demo: one a desk, sandbox only, kept in a 0600 file beside the servers."""

import json
import os
from pathlib import Path

from xinyidai.access.rules import Viewer
from xinyidai.cli.story.acting import Stage
from xinyidai.cli.story.cast import Cast
from xinyidai.partners import service as partners
from xinyidai.partners.rules import Scope

FILE = "demo_keys.json"


async def hand_out_keys(stage: Stage, cast: Cast, firm: Viewer, folder: Path) -> Path:
    """Mint a key for a firm, the main lender, the fund and the regulator, and write them into `folder`."""
    desks = {
        "firm": firm,
        "lender": cast.main_lender.maker,
        "fund": cast.fund.maker,
        "regulator": cast.regulator.maker,
    }
    secrets = {}
    for desk, viewer in desks.items():
        async with stage.acting(viewer) as session:
            minted = await partners.mint_key(
                session,
                viewer,
                organisation_id=viewer.organisation_id,
                name=f"demo {desk}",
                scopes=[scope.value for scope in Scope],
                now=stage.now,
            )
        secrets[desk] = minted.secret
    path = folder / FILE
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(secrets, file, indent=1)
    return path
