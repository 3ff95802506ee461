"""The command `xinyidai`: every verb of an operator's day, each a thin door to a service."""

import click

from xinyidai.cli.cases import case
from xinyidai.cli.demo.command import demo
from xinyidai.cli.files import deliver
from xinyidai.cli.listing import reference
from xinyidai.cli.models import release, score, train
from xinyidai.cli.people import operator
from xinyidai.cli.servers import beat, serve, work
from xinyidai.cli.upkeep import doctor, migrate, psql, replay, seal, verify
from xinyidai.foundation.logging import configure_logging


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="xinyidai", message="%(version)s")
def main() -> None:
    """Run xinyidai (信易贷), a financing platform for small firms.

    Without DATABASE_URL it runs on an embedded PostgreSQL under XINYIDAI_HOME.
    """
    configure_logging()


for command in (
    demo,
    case,
    serve,
    work,
    beat,
    migrate,
    doctor,
    operator,
    deliver,
    train,
    release,
    score,
    replay,
    verify,
    seal,
    psql,
    reference,
):
    main.add_command(command)
