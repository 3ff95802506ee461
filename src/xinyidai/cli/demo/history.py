"""What was before: earlier loans' outcomes and invoices, delivered as bureaus do; a model trained on them."""

import subprocess
import sys
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import click
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as
from xinyidai.cli.demo.reading import Firm, Institution
from xinyidai.cli.demo.seeding import BATCH, Settled
from xinyidai.cli.story.acting import Stage
from xinyidai.consents import service as consents
from xinyidai.consents.rules import Purpose
from xinyidai.foundation.clock import add_months, business_date, start_of_day
from xinyidai.foundation.database import driver, in_transaction
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.partners import service as partners
from xinyidai.scoring import service as scoring
from xinyidai.sources import service as sources

CONSENT_LASTS: Final = timedelta(days=600)
TRAINED_MONTHS_BACK: Final = 18
"""Outcomes of these months before the start are learned from, on indicators of the time before them."""
CITY_SECONDS: Final = 600


async def deliver(
    stage: Stage,
    settled: Settled,
    firms: Sequence[Firm],
    institutions: Sequence[Institution],
    *,
    outcomes: str,
    invoice_file: Path,
) -> None:
    """Take consents of firms with an earlier loan, and deliver what became of it, and their invoices."""
    with_past = [firm for firm in firms if firm.has_earlier_loan]
    await _consent(stage, settled, with_past)
    bureau = settled.desk(institutions, "credit_history").maker
    async with stage.acting(bureau) as session:
        report = await scoring.receive_outcomes(session, bureau, outcomes, now=stage.now)
    stage.tell(f"{report.loaded:,} outcomes of earlier loans reported")
    tax = settled.desk(institutions, "tax").maker
    loaded = await sources.receive_file(stage.connected.worker, tax, invoice_file, now=stage.now)
    stage.tell(f"{loaded.loaded:,} of {loaded.received:,} invoices of earlier years delivered")


async def train_and_release(stage: Stage, settled: Settled, *, seed: int) -> None:
    """Train under the firms' training consents and release by two people of the operator."""
    day = add_months(business_date(stage.now), -TRAINED_MONTHS_BACK)
    async with stage.platform() as session:
        trained = await scoring.train(session, as_of=start_of_day(day), seed=seed, now=stage.now)
    maker, checker = settled.operator.maker, settled.operator.checker
    async with stage.acting(maker) as session:
        proposed = await scoring.propose_release(session, maker, trained.bundle_text, now=stage.now)
    async with stage.acting(checker) as session:
        await scoring.approve_release(session, checker, proposed.digest, now=stage.now)
    stage.tell(f"model {proposed.digest[:12]} trained on {len(trained.cv)} firms and released by two people")


def write_invoices(path: Path, firms: Sequence[Firm], *, seed: int, count: int, until: date) -> Path:
    """Let the city write its invoices as a bureau's file, and keep those of firms with an earlier loan."""
    folder = path.parent / "bureau"
    command = [sys.executable, "-m", "city", "files", "--seed", str(seed), "--firms", str(count), "--with-outcome", "0"]
    finished = subprocess.run(
        [*command, "--until", until.isoformat(), "--out", str(folder)], check=False, timeout=CITY_SECONDS
    )
    if finished.returncode:
        raise click.ClickException("the city could not write its invoices: see what it said above")
    names = pa_csv.open_csv(folder / "invoices.csv").schema.names
    as_text = pa_csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False)
    table = pa_csv.read_csv(folder / "invoices.csv", convert_options=as_text)
    wanted = pa.array([firm.credit_code for firm in firms if firm.has_earlier_loan])
    pa_csv.write_csv(table.filter(pc.is_in(table["credit_code"], value_set=wanted)), path)
    return path


async def _consent(stage: Stage, settled: Settled, firms: Sequence[Firm]) -> None:
    expires_at = stage.now + CONSENT_LASTS
    purposes = {Purpose.PRE_LOAN: ["vat_invoice"], Purpose.MODEL_TRAINING: ["vat_invoice", "loan_outcome"]}
    for start in range(0, len(firms), BATCH):
        async with in_transaction(stage.connected.app) as session:
            for firm in firms[start : start + BATCH]:
                viewer = await _bot(stage, settled.maker_keys[firm.credit_code])
                await act_as(session, viewer, now=stage.now)
                for purpose, items in purposes.items():
                    await consents.grant(
                        session,
                        viewer,
                        purpose=purpose,
                        item_codes=items,
                        receiver_ids=[PLATFORM_ID],
                        expires_at=expires_at,
                        now=stage.now,
                    )
        stage.count("consents given", min(start + BATCH, len(firms)), len(firms))


async def _bot(stage: Stage, key: str) -> Viewer:
    """Return who presents this key."""
    async with in_transaction(stage.connected.app) as session:
        viewer = await partners.authenticate(await driver(session), key)
    assert viewer is not None, "the key was minted a moment ago"
    return viewer
