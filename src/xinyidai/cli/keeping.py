"""purge: what may not be kept any more goes."""

from collections import Counter
from collections.abc import Iterable, Sequence

import click

from xinyidai.access.service import act_as_platform
from xinyidai.cli.surroundings import Connected, surroundings
from xinyidai.foundation.database import in_transaction
from xinyidai.sources import service as sources
from xinyidai.sources.service import Judged, PurgeReport
from xinyidai.worker import load_rooms

MAX_BATCHES = 100_000
SHOWN = 50


@click.command()
@click.option("--dry-run", is_flag=True, help="Only tell what would go and what stays, of the first 500 firms.")
def purge(*, dry_run: bool) -> None:
    """Delete what nothing lets the platform keep any longer, and leave tombstones."""
    load_rooms()
    with surroundings() as around:
        if dry_run:
            for line in _told(around.run(_look)):
                click.echo(line)
            return
        report = around.run(_purge)
    click.echo(f"purged {report.facts} facts and {report.aside} rows kept aside")


async def _look(connected: Connected) -> list[Judged]:
    async with in_transaction(connected.worker) as session:
        await act_as_platform(session, now=connected.clock.now())
        return await sources.look_ahead(session, now=connected.clock.now())


async def _purge(connected: Connected) -> PurgeReport:
    facts = aside = firms = 0
    for _batch in range(MAX_BATCHES):
        async with in_transaction(connected.worker) as session:
            await act_as_platform(session, now=connected.clock.now())
            report = await sources.purge_due(session, now=connected.clock.now())
        facts, aside, firms = facts + report.facts, aside + report.aside, firms + report.firms
        if not report.facts + report.aside:
            break
    return PurgeReport(facts, aside, firms, report.stays, is_more=False)


def _told(judged: Sequence[Judged]) -> Iterable[str]:
    going = [one for one in judged if one.going]
    for one in going[:SHOWN]:
        yield f"{one.firm_id} {one.held.item_code} delivery {one.held.delivery_no}: {one.going} facts would go"
    if len(going) > SHOWN:
        yield f"and {len(going) - SHOWN} deliveries more"
    stays: Counter[str] = Counter()
    for one in judged:
        if one.kept is not None:
            stays[one.kept.reason.value] += one.held.facts
        elif one.spared:
            stays["dispute"] += len(one.spared)
    yield f"{sum(one.going for one in going)} facts of {len({one.firm_id for one in going})} firms would go"
    yield from (f"{count} stay: {reason}" for reason, count in sorted(stays.items()))
