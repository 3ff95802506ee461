"""operator: the first people of a new platform."""

import click

from xinyidai.cli.surroundings import Connected, surroundings
from xinyidai.foundation.clock import wall_now
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import Refusal
from xinyidai.parties import service as parties


@click.group()
def operator() -> None:
    """Create the people who run the platform; a desk needs two, because one makes and another checks."""


@operator.command()
@click.option("--email", required=True, help="Sign-in name.")
@click.option("--name", required=True, help="Name shown to others.")
@click.password_option(help="At least 12 characters; asked for when not given.")
def create(email: str, name: str, password: str) -> None:
    """Create an operator of the platform, with the roles admin, officer and approver."""

    async def act(connected: Connected) -> str:
        async with in_transaction(connected.worker) as session:
            return str(
                await parties.create_operator(
                    session, email=email, display_name=name, password=password, now=connected.clock.now()
                )
            )

    with surroundings() as around:
        try:
            user_id = around.run(act)
        except Refusal as refusal:
            raise click.ClickException(f"{refusal.code}: {refusal.sentence('en')}") from refusal
    click.echo(f"created operator {user_id} at {wall_now():%Y-%m-%d %H:%M} UTC")
