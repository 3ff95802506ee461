"""A model is trained on the firms with an outcome, proposed by one person and released by another; then all ask."""

from dataclasses import dataclass
from uuid import UUID

import numpy as np

from ml.allocation import LendingPlan, PdBands, pd_bands, plan_lending
from xinyidai.cli.story.acting import Stage
from xinyidai.cli.story.cast import Cast
from xinyidai.cli.story.population import Population
from xinyidai.cli.story.script import Script
from xinyidai.consents import service as consents
from xinyidai.consents.rules import MAX_SUBJECTS, Purpose
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.scoring import service as scoring
from xinyidai.scoring.service import Trained


@dataclass(frozen=True)
class Planned:
    """The applicants' bands and the plan for them, in the script's order."""

    bands: PdBands
    plan: LendingPlan
    pd_ppm: dict[str, int]


async def train_and_release(stage: Stage, script: Script, cast: Cast) -> Trained:
    """Train under the firms' training consents and release by two people of the operator."""
    async with stage.platform() as session:
        trained = await scoring.train(session, as_of=script.trained_as_of, seed=script.seed, now=stage.now)
    async with stage.acting(cast.operator.maker) as session:
        proposed = await scoring.propose_release(session, cast.operator.maker, trained.bundle_text, now=stage.now)
    async with stage.acting(cast.operator.checker) as session:
        await scoring.approve_release(session, cast.operator.checker, proposed.digest, now=stage.now)
    stage.tell(f"model {proposed.digest[:12]} trained on {len(trained.cv)} firms and released by two people")
    return trained


async def score_applicants(stage: Stage, script: Script, population: Population) -> dict[str, int]:
    """Score every applicant from stored facts, in batches under their consents; return PDs by label."""
    ids = [population.viewers[firm.label].organisation_id for firm in script.applicants]
    found: dict[UUID, int] = {}
    for start in range(0, len(ids), MAX_SUBJECTS):
        async with stage.platform() as session:
            permission = await consents.require(
                session,
                receiver_id=PLATFORM_ID,
                subject_ids=ids[start : start + MAX_SUBJECTS],
                purpose=Purpose.PRE_LOAN,
                item_codes=["vat_invoice"],
                now=stage.now,
            )
            scored = await scoring.score_many(session, permission, as_of=stage.now, now=stage.now)
        found |= {one.firm_id: one.pd_ppm for one in scored.scores}
    stage.tell(f"{len(found)} applicants scored, with reasons")
    return {population.label_of(firm_id): pd_ppm for firm_id, pd_ppm in found.items()}


def plan(script: Script, pd_ppm: dict[str, int]) -> Planned:
    """Cut the bands and plan the lending for the largest expected profit."""
    labels = [firm.label for firm in script.applicants if firm.label in pd_ppm]
    values = [pd_ppm[label] for label in labels]
    bands = pd_bands(np.array(values, dtype=np.int64))
    made = plan_lending(labels, values, bands=bands, churn=script.churn, terms=script.terms)
    return Planned(bands, made, pd_ppm)
