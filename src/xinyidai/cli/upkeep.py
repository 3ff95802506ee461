"""doctor, verify, replay, seal, psql: keeping a platform healthy and honest."""

import os
import subprocess
import sys

import click

from xinyidai.cli.checking import Verified, seal_everything, verify_everything
from xinyidai.cli.diagnosis import Check, diagnose
from xinyidai.cli.source_checks import source_checks
from xinyidai.cli.surroundings import Connected, say, surroundings
from xinyidai.decisions.replay import replay_all
from xinyidai.decisions.rules import ReplayReport
from xinyidai.foundation.server_binaries import find_postgres
from xinyidai.worker import load_rooms

SHOWN = 50


@click.command()
@click.option("--production", is_flag=True, help="Also refuse what is fit for a demo only.")
@click.option("--sources", is_flag=True, help="Also look at every outside source and at who is behind with deliveries.")
def doctor(production: bool, sources: bool) -> None:
    """Look at the machine, the servers and the database; name what is wrong and what to do."""

    async def act(connected: Connected) -> list[Check]:
        # On a broker that this command had to start nothing of the platform can be running yet.
        expects_processes = around.broker is None or around.broker.pid is None
        checks = await diagnose(
            connected,
            production=production,
            is_embedded=around.embedded is not None,
            expects_processes=expects_processes,
        )
        if sources:
            checks += await source_checks(connected.worker, connected.settings, now=connected.clock.now())
        return checks

    with surroundings(with_broker=not production, migrated=False) as around:
        checks = around.run(act)
    for check in checks:
        click.echo(f"{'ok  ' if check.is_ok else 'BAD '} {check.name}: {check.says}")
    if not all(check.is_ok for check in checks):
        sys.exit(1)


@click.command()
def seal() -> None:
    """Seal now what the every-minute job would seal."""

    async def act(connected: Connected) -> int:
        return await seal_everything(connected.worker, now=connected.clock.now())

    load_rooms()
    with surroundings() as around:
        click.echo(f"sealed {around.run(act)} rows")


@click.command()
def verify() -> None:
    """Recompute every seal, fact and balance; name each row that is not as it was written. Exit 1 when one is found."""

    async def act(connected: Connected) -> Verified:
        return await verify_everything(connected.auditor)

    load_rooms()
    with surroundings() as around:
        verified = around.run(act)
    for state in verified.states:
        click.echo(f"{state.stream}: {state.sealed} sealed, {state.unsealed} not sealed yet, {len(state.found)} wrong")
    for one in verified.found[:SHOWN]:
        click.echo(f"{one.finding}: {one.stream} {one.ref}")
    for fault in verified.book_faults[:SHOWN]:
        click.echo(f"books: {fault}")
    click.echo("verified: nothing was altered" if verified.is_clean else "verified: ALTERED")
    if not verified.is_clean:
        sys.exit(1)


@click.command()
def replay() -> None:
    """Make every decision again from its kept inputs, and from the facts while they live. Exit 1 on a difference."""

    async def act(connected: Connected) -> ReplayReport:
        return await replay_all(connected.worker, now=connected.clock.now())

    load_rooms()
    with surroundings() as around:
        report = around.run(act)
    click.echo(f"same {report.same}, different {report.different}, inputs lawfully purged {report.purged}")
    if report.purged:
        click.echo(
            f"  vector leg: {report.facts_purged} same, {report.vector_purged} purged;"
            f" facts leg: {report.purged} purged"
        )
    for difference in report.differences[:SHOWN]:
        click.echo(str(difference))
    if report.different:
        sys.exit(1)


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def psql(arguments: tuple[str, ...]) -> None:
    """Open psql as the embedded server's superuser; ARGUMENTS go to psql, for example -c 'SELECT 1'."""
    with surroundings() as around:
        if around.embedded is None:
            raise click.ClickException("psql is for the embedded server; use your own client with DATABASE_URL")
        say(f"database {around.database}")
        program = str(find_postgres().folder / "psql")
        finished = subprocess.run(
            [program, around.embedded.dsn(around.database), *arguments], check=False, env=os.environ
        )
    sys.exit(finished.returncode)
