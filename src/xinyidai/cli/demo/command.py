"""demo: the living city with pages, or a year and a half of it in lock-step."""

from pathlib import Path

import click

from xinyidai.cli.demo.once import FIRMS, MONTHS, run_once

JSON_FILE = click.Path(dir_okay=False, writable=True, path_type=Path)


@click.command()
@click.option("--once", is_flag=True, help="Live eighteen months in lock-step, print figures and end.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="Seed of the city.")
@click.option("--json", "json_file", type=JSON_FILE, help="With --once: write the figures here.")
@click.option("--firms", type=click.IntRange(20, 20_000), help=f"How many firms; {FIRMS} with --once.")
@click.option("--months", default=MONTHS, show_default=True, type=click.IntRange(1, 60), help="With --once.")
def demo(once: bool, seed: int, json_file: Path | None, firms: int | None, months: int) -> None:
    """Let a simulated city of firms and banks live on the platform."""
    run_once(seed=seed, firms=firms or FIRMS, months=months, json_file=json_file)
