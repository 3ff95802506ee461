"""operator: the first people of a new platform; and signing in for a command that needs a person."""

from collections.abc import Generator
from contextlib import contextmanager
from uuid import UUID

import click

from xinyidai.access.rules import Viewer
from xinyidai.cli.surroundings import Connected, surroundings
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import Refusal
from xinyidai.parties import service as parties
from xinyidai.parties.rules import PLATFORM_ID, SecondFactorNeeded


@click.group()
def operator() -> None:
    """Create the people who run the platform; a desk needs two, because one makes and another checks."""


@operator.command()
@click.option("--email", required=True, help="Sign-in name.")
@click.option("--name", required=True, help="Name shown to others.")
@click.password_option(help="At least 12 characters; asked for when not given.")
def create(email: str, name: str, password: str) -> None:
    """Create an operator of the platform, with the roles admin, officer and approver."""

    async def act(connected: Connected) -> UUID:
        async with in_transaction(connected.worker) as session:
            return await parties.create_operator(
                session, email=email, display_name=name, password=password, now=connected.clock.now()
            )

    with surroundings() as around, refusals_told():
        click.echo(f"created operator {around.run(act)}")


@contextmanager
def refusals_told() -> Generator[None]:
    """Turn a refusal into a sentence in both languages and exit code 1."""
    try:
        yield
    except Refusal as refusal:
        told = f"{refusal.code}: {refusal.sentence('en')} / {refusal.sentence('zh')}"
        raise click.ClickException(told) from refusal


async def signed_in_operator(connected: Connected, email: str, password: str) -> Viewer:
    """Return the operator's person who signs in with this email and password; refuse anybody else."""
    return await signed_in(connected, email, password, organisation_id=PLATFORM_ID)


async def signed_in(connected: Connected, email: str, password: str, *, organisation_id: UUID | None) -> Viewer:
    """Return the person who signs in, acting for the organisation or for the only one.

    Asks for a code where the person has a second factor. Nobody is taken by name: without password and code there is
    no viewer.
    """
    proved = await _proved(connected, email, password, code=None, organisation_id=organisation_id)
    if isinstance(proved, SecondFactorNeeded):
        code = str(click.prompt("Code", hide_input=True))
        proved = await _proved(connected, email, password, code=code, organisation_id=organisation_id)
    if isinstance(proved, Refusal):
        raise proved
    return proved


async def _proved(
    connected: Connected, email: str, password: str, *, code: str | None, organisation_id: UUID | None
) -> Viewer | Refusal:
    """Prove in a transaction of its own, which commits the count of failures before anything is raised."""
    async with in_transaction(connected.worker) as session:
        return await parties.prove(
            session, email, password, code=code, organisation_id=organisation_id, now=connected.clock.now()
        )
