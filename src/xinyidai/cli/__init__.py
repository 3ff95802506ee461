"""The command `xinyidai`: every verb of an operator's day, each a thin door to a service."""

from importlib import import_module
from typing import Final

import click

from xinyidai import __version__
from xinyidai.foundation.logging import configure_logging

COMMANDS: Final = {
    "demo": ("demo.command", "Let a simulated city of firms and banks live on the platform, and serve it."),
    "case": ("cases", "Play the story on a real data set: NAME is cumcm2020c."),
    "serve": ("servers", "Serve the pages, the JSON API under /api/v1 and its reference page under /api."),
    "work": ("servers", "Work on deliveries, sweeps and timetable jobs from the broker."),
    "beat": ("servers", "Tick every wall second: the timetable decides what is due."),
    "migrate": ("migrating", "Bring the database to a revision, by default the newest."),
    "doctor": ("upkeep", "Look at the machine, the servers and the database; name what is wrong and what to do."),
    "operator": (
        "people",
        "Create the people who run the platform; a desk needs two, because one makes and another checks.",
    ),
    "deliver": ("files", "Take in a FILE of invoices or of another item's records, and say what became of it."),
    "train": (
        "models",
        "Train a model on the firms that consent to training, and write it as text, to be released by two people.",
    ),
    "release": ("models", "Put a model into use: one person proposes it, another approves its digest."),
    "score": ("models", "Score the firm with this CREDIT_CODE now, under its consent to the platform, with reasons."),
    "lineage": (
        "tracing",
        "List the facts that an INDICATOR of the FIRM with this credit code rests on, each with where it came from.",
    ),
    "impact": (
        "tracing",
        "Tell what a FACT (item:firm/delivery.line) touched: indicators, decisions, profiles, cases; its succession.",
    ),
    "replay": ("upkeep", "Make every decision again from its kept inputs, and from the facts while they live."),
    "verify": ("upkeep", "Recompute every seal, fact and balance; name each row that is not as it was written."),
    "purge": ("keeping", "Delete what nothing lets the platform keep any longer, and leave tombstones."),
    "seal": ("upkeep", "Seal now what the every-minute job would seal."),
    "psql": (
        "upkeep",
        "Open psql as the embedded server's superuser; ARGUMENTS go to psql, for example -c 'SELECT 1'.",
    ),
    "reference": (
        "listing",
        "Print docs/reference.md, or docs/sources.md as the catalogue has it today.",
    ),
}
"""Each command with the module of this package in which it stands and the first sentence of what it says of itself."""


class Commands(click.Group):
    """Import a command when it is called: a process that serves or migrates need not load what trains models.

    All of them together take four seconds of CPU to import, which every process of the platform paid at its start.
    """

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted(COMMANDS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, imported now, or None."""
        if cmd_name not in COMMANDS:
            return None
        module, _says = COMMANDS[cmd_name]
        command: click.Command = getattr(import_module(f"xinyidai.cli.{module}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what each command does, and import none for it."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, message="%(version)s")
def main() -> None:
    """Run xinyidai (信易贷), a financing platform for small firms.

    Without DATABASE_URL it runs on an embedded PostgreSQL under XINYIDAI_HOME.
    """
    configure_logging()
