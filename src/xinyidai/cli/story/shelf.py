"""Each bank publishes a product whose conditions are data; its appetite is a cut of the PD."""

from ml.allocation import MILLION
from xinyidai.cli.story.acting import Stage
from xinyidai.cli.story.cast import Cast
from xinyidai.cli.story.modelling import Planned
from xinyidai.cli.story.script import Script
from xinyidai.products import service as products
from xinyidai.products.rules import Clause, Operator

MIN_RATE_BP, MAX_RATE_BP = 400, 1500


async def fill_shelf(stage: Stage, cast: Cast, script: Script, planned: Planned) -> None:
    """Publish a product for each lender: nobody lends to the worst band, and the last bank is the pickiest."""
    not_worst, better, _best = reversed(planned.bands.below_ppm)
    appetites = (not_worst, not_worst, better)
    for number, (lender, below_ppm) in enumerate(zip(cast.lenders, appetites, strict=True), 1):
        async with stage.platform() as session:
            await products.publish(
                session,
                lender.maker,
                lender.checker,
                code=f"simulated-invoice-loan-{number}",
                name_zh=f"模拟发票贷 {number} 号",
                name_en=f"Simulated invoice loan {number}",
                min_amount_fen=script.terms.min_amount_fen,
                max_amount_fen=script.terms.max_amount_fen,
                min_term_months=1,
                max_term_months=12,
                min_rate_bp=MIN_RATE_BP,
                max_rate_bp=MAX_RATE_BP,
                requires_cover=True,
                answer_working_days=5 + number,
                eligibility=[Clause("pd_ppm", Operator.LT, min(below_ppm, MILLION), "pd_within_appetite")],
                now=stage.now,
            )
