"""The story from beginning to end, and what is written of it as JSON and as a table."""

from dataclasses import dataclass

from xinyidai.cli.story import cast as casting
from xinyidai.cli.story import failing, lending, modelling, population, telling
from xinyidai.cli.story.acting import Stage, stage_at
from xinyidai.cli.story.cast import Cast
from xinyidai.cli.story.population import Population
from xinyidai.cli.story.script import Script
from xinyidai.cli.story.shelf import fill_shelf
from xinyidai.cli.surroundings import Connected
from xinyidai.foundation.errors import Refusal
from xinyidai.scoring.service import Trained
from xinyidai.sources.rules import DeliveryReport

MILLION = 1_000_000


class NothingLent(Refusal):
    """No loan in the plan is worth its risk, so there is nothing to follow to the end."""

    code = "nothing_lent"
    title_zh = "种子 {seed} 下没有值得发放的贷款，请换一个种子或更低的违约损失率"
    title_en = "With seed {seed} no loan is worth its risk; try another seed or a lower loss given default"


@dataclass(frozen=True)
class Told:
    """Everything that happened."""

    stage: Stage
    cast: Cast
    script: Script
    people: Population
    delivered: DeliveryReport
    trained: Trained
    planned: modelling.Planned
    lent: lending.Lent
    failed: failing.Failed
    ending: telling.Ending


async def tell_story(connected: Connected, script: Script) -> Told:
    """Play the script on an empty platform.

    Raises
    ------
    Refusal
        A step was refused: the platform is not empty, or the input does not carry the story.
    """
    stage = stage_at(connected, script.starts_at)
    stage.tell(f"{script.title}: institutions and people")
    played = await _open_city(stage, script)
    people = await population.register(stage, script, played)
    delivered = await population.deliver(stage, script, played.bureau)
    await population.report_outcomes(stage, script, played)
    trained = await modelling.train_and_release(stage, script, played)
    pd_ppm = await modelling.score_applicants(stage, script, people)
    planned = modelling.plan(script, pd_ppm)
    await fill_shelf(stage, played, script, planned)
    lent = await lending.lend(stage, script, played, people, planned)
    if not lent.loans:
        raise NothingLent(seed=script.seed)
    failed = await failing.default_one(stage, played, lent)
    ending = await telling.end(stage, played)
    return Told(stage, played, script, people, delivered, trained, planned, lent, failed, ending)


async def _open_city(stage: Stage, script: Script) -> Cast:
    played = await casting.found(stage)
    budget = script.terms.total_budget_fen
    await casting.share_losses(
        stage, played, capital_fen=budget, capacity_fen=budget, per_firm_fen=script.terms.max_amount_fen
    )
    return played


def as_json(told: Told) -> dict[str, object]:
    """Return the story's figures under stable names; amounts in fen, `pd` as a fraction of one."""
    ending, plan = told.ending, told.planned.plan
    return {
        "title": told.script.title,
        "notes": list(told.script.notes),
        "firms": len(told.script.firms),
        "invoices": told.delivered.loaded,
        "received": told.delivered.received,
        "rejected": dict(told.delivered.rejected),
        "flagged": dict(told.delivered.flagged),
        "cv": [
            {"firm": told.people.label_of(one.firm_id), "fold": one.fold, "pd": one.pd_ppm / MILLION}
            for one in told.trained.cv
        ],
        "metrics": _metrics(told.trained),
        "loans": [
            {
                "firm": loan.enterprise_id,
                "pd": loan.pd_ppm / MILLION,
                "group": loan.band.value,
                "amount_fen": loan.amount_fen,
                "rate_bp": loan.rate_bp,
                "expected_profit_fen": loan.expected_profit_fen,
            }
            for loan in plan.loans
        ],
        "allocated_fen": plan.lent_fen,
        "expected_profit_fen": plan.expected_profit_fen,
        "upper_bound_fen": plan.upper_bound_fen,
        "lgd": told.script.terms.lgd_ppm / MILLION,
        "demands": told.lent.demands,
        "dispatches": told.lent.dispatches,
        "indications": told.lent.indications,
        "choices": told.lent.choices,
        "offers": told.lent.offers,
        "accepted": len(told.lent.loans),
        "disbursed_fen": ending.disbursed_fen,
        "made_to_default": told.failed.label,
        "claims_paid_fen": told.failed.paid_fen,
        "recovered_fen": told.failed.returned_fen,
        "fund_balance_fen": ending.fund_balance_fen,
        "ledger_imbalance_fen": ending.ledger_imbalance_fen,
        "regulator_disbursed_fen": ending.regulator_disbursed_fen,
        "reconciliation_differences": list(ending.differences),
        "replay": {
            "same": ending.replay.same,
            "different": ending.replay.different,
            "purged": ending.replay.purged,
        },
        "sealed": ending.sealed,
        "altered": len(ending.verified.found) + len(ending.verified.book_faults),
        "seconds": ending.seconds,
        "peak_rss_mb": ending.peak_rss_mb,
    }


def as_table(told: Told) -> str:
    """Return the story's end for a person."""
    ending = told.ending
    rows = [
        ("firms", f"{len(told.script.firms):,}"),
        ("invoices loaded / received", f"{told.delivered.loaded:,} / {told.delivered.received:,}"),
        ("out-of-fold AUC", f"{_metrics(told.trained)['auc']:.3f}"),
        ("demands, dispatches, offers", f"{told.lent.demands}, {told.lent.dispatches}, {told.lent.offers}"),
        ("loans paid out", f"{len(told.lent.loans)}, {_yuan(ending.disbursed_fen)}"),
        ("regulator sees", _yuan(ending.regulator_disbursed_fen)),
        ("expected profit / proven bound", _both(told)),
        ("made to default", told.failed.label),
        ("claim paid / returned by recovery", f"{_yuan(told.failed.paid_fen)} / {_yuan(told.failed.returned_fen)}"),
        ("fund balance", _yuan(ending.fund_balance_fen)),
        ("ledger imbalance", _yuan(ending.ledger_imbalance_fen)),
        ("replay same / different / purged", _replayed(told)),
        ("sealed rows, altered", f"{ending.sealed:,}, {len(ending.verified.found)}"),
        ("seconds, peak memory", f"{ending.seconds}, {ending.peak_rss_mb} MiB"),
    ]
    return "\n".join(f"  {name:36} {value}" for name, value in rows)


def _metrics(trained: Trained) -> dict[str, float]:
    """Return the out-of-fold measures as fractions under the names of the contest's literature."""
    names = {"auc": "auc_ppm", "ks": "ks_ppm", "brier": "brier_ppm", "logloss": "log_loss_ppm"}
    return {name: trained.metrics[key] / MILLION for name, key in names.items()}


def _both(told: Told) -> str:
    plan = told.planned.plan
    return f"{_yuan(plan.expected_profit_fen)} / {_yuan(plan.upper_bound_fen)}"


def _replayed(told: Told) -> str:
    replay = told.ending.replay
    return f"{replay.same} / {replay.different} / {replay.purged}"


def _yuan(fen: int) -> str:
    return f"¥{fen / 100:,.2f}"
