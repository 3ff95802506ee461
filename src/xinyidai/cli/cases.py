"""case: the story of the first loan, on the contest's real invoices."""

import json
import math
import tempfile
from pathlib import Path

import click

from xinyidai.cli.people import refusals_told
from xinyidai.cli.story.cumcm2020c import read_script
from xinyidai.cli.story.ground import require_empty
from xinyidai.cli.story.running import Told, as_json, as_table, tell_story
from xinyidai.cli.story.script import Script
from xinyidai.cli.surroundings import Connected, Surroundings, home, surroundings
from xinyidai.worker import load_rooms

JSON_FILE = click.Path(dir_okay=False, writable=True, path_type=Path)
CASES = ("cumcm2020c",)
LGD_WHOLE = 1.0


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


def play(around: Surroundings, script: Script, json_file: Path | None) -> None:
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


def work_folder() -> tempfile.TemporaryDirectory[str]:
    """Return a folder for the files of one run, removed afterwards."""
    home().mkdir(parents=True, exist_ok=True, mode=0o700)
    return tempfile.TemporaryDirectory(prefix="story-", dir=home())
