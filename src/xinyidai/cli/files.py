"""deliver: the file drop of `sources`, for files larger than HTTP takes."""

from pathlib import Path
from uuid import UUID

import click

from xinyidai.cli.people import refusals_told, signed_in
from xinyidai.cli.surroundings import Connected, surroundings
from xinyidai.sources import service as sources
from xinyidai.sources.rules import DeliveryKind, DeliveryReport
from xinyidai.sources.rules.records.kinds import KINDS


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--email", required=True, help="Sign-in name of a person of the agency, or of the operator.")
@click.option("--organisation", type=click.UUID, help="The agency, for a person of several organisations.")
@click.option("--correction", is_flag=True, help="The rows correct invoices delivered before.")
@click.option("--item", type=click.Choice(sorted(KINDS)), help="The rows are records of this item and not invoices.")
@click.option("--expected-rows", type=click.IntRange(0), help="How many rows the sender counted.")
@click.password_option(confirmation_prompt=False)
def deliver(
    file: Path,
    email: str,
    organisation: UUID | None,
    correction: bool,
    item: str | None,
    expected_rows: int | None,
    password: str,
) -> None:
    """Take in a FILE of invoices or of another item's records, and say what became of it.

    CSV, Excel or Parquet, by its suffix. Records that say something else than earlier ones replace them, so they need
    no --correction.
    """
    if item and correction:
        raise click.UsageError("--correction is for invoices: records replace earlier ones by themselves")
    kind = DeliveryKind(item) if item else DeliveryKind.CORRECTION if correction else DeliveryKind.VAT_INVOICE

    async def act(connected: Connected) -> DeliveryReport:
        viewer = await signed_in(connected, email, password, organisation_id=organisation)
        return await sources.receive_file(
            connected.worker, viewer, file, kind=kind, expected_rows=expected_rows, now=connected.clock.now()
        )

    with surroundings() as around, refusals_told():
        report = around.run(act)
    click.echo(f"delivery {report.delivery_id}: received {report.received}, loaded {report.loaded}")
    for name, count in sorted(report.rejected.items()):
        click.echo(f"  rejected {name}: {count}")
    for name, count in sorted(report.flagged.items()):
        click.echo(f"  flagged {name}: {count}")
