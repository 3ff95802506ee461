"""migrate: the command that every deployment runs first, and that loads nothing but what it needs."""

import asyncio

import click

from xinyidai.cli.surroundings import surroundings
from xinyidai.foundation.migrating import bootstrap, newest_revision
from xinyidai.foundation.migrating import migrate as run_revisions
from xinyidai.foundation.settings import DatabaseRole


@click.command()
@click.option("--bootstrap", "with_roles", is_flag=True, help="First make the roles (needs an administrator's URL).")
@click.option("--to", default="head", show_default=True, help="Revision to go to; an older one goes back.")
def migrate(with_roles: bool, to: str) -> None:
    """Bring the database to a revision, by default the newest."""
    with surroundings(migrated=False) as around:
        if with_roles or around.embedded is not None:
            asyncio.run(bootstrap(around.settings))
        asyncio.run(run_revisions(around.settings.dsn(DatabaseRole.MIGRATE), to=to))
    click.echo(f"database at {to if to != 'head' else newest_revision()}")
