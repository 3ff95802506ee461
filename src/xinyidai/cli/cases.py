"""demo and case: the story of the first loan, on a synthetic set and on the contest's real invoices."""

import json
import math
import os
import tempfile
from dataclasses import replace
from pathlib import Path

import click

from xinyidai.cli.people import refusals_told
from xinyidai.cli.servers import HOST, PORT, run_platform
from xinyidai.cli.story.acting import Stage
from xinyidai.cli.story.cumcm2020c import read_script
from xinyidai.cli.story.ground import require_empty
from xinyidai.cli.story.keys import hand_out_keys
from xinyidai.cli.story.running import Told, as_json, as_table, tell_story
from xinyidai.cli.story.script import Script
from xinyidai.cli.story.synthetic import make_script
from xinyidai.cli.surroundings import Connected, Surroundings, home, require_free_port, say, surroundings
from xinyidai.foundation.clock import wall_now
from xinyidai.foundation.settings import settings
from xinyidai.worker import load_rooms

JSON_FILE = click.Path(dir_okay=False, writable=True, path_type=Path)
CASES = ("cumcm2020c",)
LGD_WHOLE = 1.0


@click.command()
@click.option("--once", is_flag=True, help="Play the story once and end; otherwise serve the API afterwards.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="Seed of the synthetic set.")
@click.option("--json", "json_file", type=JSON_FILE, help="Write the figures here.")
@click.option("--port", default=PORT, show_default=True, type=click.IntRange(1, 65535), help="Port to serve on.")
def demo(once: bool, seed: int, json_file: Path | None, port: int) -> None:
    """Lend for the first time on a small synthetic set, from invoices to a paid claim; then serve the API."""
    if not once:
        require_free_port(HOST, port)
    with work_folder() as folder, surroundings(database=f"demo_seed{seed}", fresh=True, with_broker=not once) as around:
        stand_on_empty_ground(around)
        say("Synthetic data: no firm, bank or person here is real.")
        told = play(around, make_script(Path(folder), seed=seed), json_file)
        if not once:
            go_on(around, told, port=port)


@click.command()
@click.argument("name", type=click.Choice(CASES))
@click.option(
    "--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path), help="Its folder."
)
@click.option("--json", "json_file", type=JSON_FILE, help="Write the figures here.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="Seed of the cross-validation.")
@click.option("--lgd", default=LGD_WHOLE, show_default=True, type=click.FloatRange(0, 1), help="Loss given default.")
def case(name: str, data: Path, json_file: Path | None, seed: int, lgd: float) -> None:
    """Play the story on a real data set: NAME is cumcm2020c."""
    if not math.isfinite(lgd):
        raise click.BadParameter("must be a number between 0 and 1", param_hint="--lgd")
    with work_folder() as folder, surroundings(database=name, fresh=True) as around:
        stand_on_empty_ground(around)
        play(around, read_script(data, Path(folder), seed=seed, lgd_ppm=round(lgd * 1_000_000)), json_file)


def stand_on_empty_ground(around: Surroundings) -> None:
    """Refuse a database that somebody uses already; one of our own was made anew a moment ago."""
    with refusals_told():
        around.run(require_empty)


def go_on(around: Surroundings, told: Told, *, port: int) -> None:
    """Serve the platform as the story left it, with business time running on from its end."""

    async def act(connected: Connected) -> Path:
        stage = Stage(connected, told.stage.now, told.stage.began)
        firm = told.people.viewers[min(told.lent.loans)]
        return await hand_out_keys(stage, told.cast, firm, home())

    keys = around.run(act)
    os.environ["WALL_ANCHOR"] = wall_now().isoformat()
    os.environ["BUSINESS_ANCHOR"] = told.stage.now.isoformat()
    settings.cache_clear()
    say(f"API keys of a firm, a lender, the fund and the regulator are in {keys}. Try:")
    say(f'  curl -H "Authorization: Bearer $KEY" http://{HOST}:{port}/api/v1/me')
    run_platform(replace(around, settings=settings()), host=HOST, port=port)


def play(around: Surroundings, script: Script, json_file: Path | None) -> Told:
    """Tell the story, print its table and write its figures."""

    async def act(connected: Connected) -> Told:
        return await tell_story(connected, script)

    load_rooms()
    with refusals_told():
        told = around.run(act)
    click.echo(f"\n{script.title}")
    for note in script.notes:
        click.echo(f"  note: {note}")
    click.echo(as_table(told))
    if json_file is not None:
        json_file.write_text(json.dumps(as_json(told), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        click.echo(f"figures written to {json_file}")
    return told


def work_folder() -> tempfile.TemporaryDirectory[str]:
    """Return a folder for the files of one run, removed afterwards."""
    home().mkdir(parents=True, exist_ok=True, mode=0o700)
    return tempfile.TemporaryDirectory(prefix="story-", dir=home())
