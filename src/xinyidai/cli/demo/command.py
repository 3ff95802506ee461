"""demo: the living city with pages, or a year and a half of it in lock-step."""

from pathlib import Path

import click

from xinyidai.cli.demo import live, once
from xinyidai.cli.servers import PORT

JSON_FILE = click.Path(dir_okay=False, writable=True, path_type=Path)
PORTS = click.IntRange(1, 65535)


@click.command()
@click.option("--once", "is_once", is_flag=True, help="Live eighteen months in lock-step, print figures and end.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(0), help="Seed of the city.")
@click.option("--json", "json_file", type=JSON_FILE, help="With --once: write the figures here.")
@click.option("--firms", type=click.IntRange(20, 20_000), help=f"How many; {live.FIRMS}, with --once {once.FIRMS}.")
@click.option("--months", default=once.MONTHS, show_default=True, type=click.IntRange(1, 60), help="With --once.")
@click.option("--reset", is_flag=True, help="Begin anew, from the kept template where there is one.")
@click.option("--port", default=PORT, show_default=True, type=PORTS, help="Port to serve on.")
@click.option("--city-port", default=live.CITY_PORT, show_default=True, type=PORTS, help="Port of the city.")
def demo(
    is_once: bool,
    seed: int,
    json_file: Path | None,
    firms: int | None,
    months: int,
    reset: bool,
    port: int,
    city_port: int,
) -> None:
    """Let a simulated city of firms and banks live on the platform, and serve it."""
    if is_once:
        once.run_once(seed=seed, firms=firms or once.FIRMS, months=months, json_file=json_file)
    else:
        live.run_live(seed=seed, firms=firms or live.FIRMS, port=port, city_port=city_port, reset=reset)
