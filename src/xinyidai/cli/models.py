"""train, release, score: from outcomes to a model in use, and one firm's score."""

from datetime import datetime
from pathlib import Path

import click

from xinyidai.access.service import act_as, act_as_platform
from xinyidai.cli.people import refusals_told, signed_in_operator
from xinyidai.cli.surroundings import Connected, surroundings
from xinyidai.consents import service as consents
from xinyidai.consents.rules import Purpose
from xinyidai.foundation.clock import start_of_day
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import NotFound
from xinyidai.parties import queries as parties
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.scoring import service as scoring
from xinyidai.scoring.rules.releases import ReleaseView
from xinyidai.scoring.rules.scores import ScoreView
from xinyidai.scoring.service import Trained

DAY = click.DateTime(formats=["%Y-%m-%d"])


@click.command()
@click.option("--as-of", required=True, type=DAY, help="Indicators of the time before, outcomes from this day on.")
@click.option("--seed", default=1, show_default=True, type=int, help="Seed of the cross-validation's folds.")
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="Where to write the model.")
def train(as_of: datetime, seed: int, out: Path) -> None:
    """Train a model on the firms that consent to training, and write it as text, to be released by two people."""

    async def act(connected: Connected) -> Trained:
        async with in_transaction(connected.worker) as session:
            now = connected.clock.now()
            await act_as_platform(session, now=now)
            return await scoring.train(session, as_of=start_of_day(as_of.date()), seed=seed, now=now)

    with surroundings() as around, refusals_told():
        trained = around.run(act)
    out.write_text(trained.bundle_text, encoding="utf-8")
    click.echo(trained.card)
    click.echo(f"digest {trained.digest}\nwritten to {out}; next: xinyidai release propose {out} --email YOU")


@click.group()
def release() -> None:
    """Put a model into use: one person proposes it, another approves its digest."""


@release.command()
@click.argument("model", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--email", required=True, help="Sign-in name of an operator.")
@click.password_option(confirmation_prompt=False)
def propose(model: Path, email: str, password: str) -> None:
    """Propose the model in the file MODEL."""
    text = model.read_text(encoding="utf-8")

    async def act(connected: Connected) -> ReleaseView:
        viewer = await signed_in_operator(connected, email, password)
        async with in_transaction(connected.app) as session:
            await act_as(session, viewer, now=connected.clock.now())
            return await scoring.propose_release(session, viewer, text, now=connected.clock.now())

    with surroundings() as around, refusals_told():
        proposed = around.run(act)
    click.echo(
        f"proposed {proposed.digest}; another person approves it with: xinyidai release approve {proposed.digest}"
    )


@release.command()
@click.argument("digest")
@click.option("--email", required=True, help="Sign-in name of another operator.")
@click.password_option(confirmation_prompt=False)
def approve(digest: str, email: str, password: str) -> None:
    """Approve the proposed model with this DIGEST; it is in use from now on."""

    async def act(connected: Connected) -> ReleaseView:
        viewer = await signed_in_operator(connected, email, password)
        async with in_transaction(connected.app) as session:
            await act_as(session, viewer, now=connected.clock.now())
            return await scoring.approve_release(session, viewer, digest, now=connected.clock.now())

    with surroundings() as around, refusals_told():
        click.echo(f"released {around.run(act).digest}")


@click.command()
@click.argument("credit_code")
def score(credit_code: str) -> None:
    """Score the firm with this CREDIT_CODE now, under its consent to the platform, with reasons."""

    async def act(connected: Connected) -> ScoreView:
        async with in_transaction(connected.worker) as session:
            now = connected.clock.now()
            await act_as_platform(session, now=now)
            found = await parties.parties_by_credit_code(session, [credit_code])
            if credit_code not in found:
                raise NotFound
            firm_id = found[credit_code].id
            permission = await consents.require(
                session,
                receiver_id=PLATFORM_ID,
                subject_ids=[firm_id],
                purpose=Purpose.PRE_LOAN,
                item_codes=["vat_invoice"],
                now=now,
            )
            return await scoring.score_firm(session, permission, firm_id=firm_id, as_of=now, now=now)

    with surroundings() as around, refusals_told():
        view = around.run(act)
    click.echo(
        f"PD {view.pd_ppm / 10_000:.2f} %, {view.score_points} points, band {view.band}; decision {view.decision_id}"
    )
    for reason in view.reasons or ():
        click.echo(f"  {reason['code']}: {reason['zh']} / {reason['en']}")
