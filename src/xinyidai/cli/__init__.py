"""The command `xinyidai`: every verb of an operator's day, each a thin door to a service."""

from importlib import import_module
from typing import Final

import click

from xinyidai.foundation.logging import configure_logging

WHERE: Final = {
    "demo": "demo.command",
    "case": "cases",
    "serve": "servers",
    "work": "servers",
    "beat": "servers",
    "migrate": "migrating",
    "doctor": "upkeep",
    "operator": "people",
    "deliver": "files",
    "train": "models",
    "release": "models",
    "score": "models",
    "replay": "upkeep",
    "verify": "upkeep",
    "seal": "upkeep",
    "psql": "upkeep",
    "reference": "listing",
}
"""The module of this package in which each command stands."""


class Commands(click.Group):
    """Import a command when it is called: a process that serves or migrates need not load what trains models.

    All of them together take four seconds of CPU to import, which every process of the platform paid at its start.
    """

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted(WHERE)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, imported now, or None."""
        if cmd_name not in WHERE:
            return None
        command: click.Command = getattr(import_module(f"xinyidai.cli.{WHERE[cmd_name]}"), cmd_name)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="xinyidai", message="%(version)s")
def main() -> None:
    """Run xinyidai (信易贷), a financing platform for small firms.

    Without DATABASE_URL it runs on an embedded PostgreSQL under XINYIDAI_HOME.
    """
    configure_logging()
