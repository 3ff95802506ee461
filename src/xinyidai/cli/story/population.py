"""Firms register and consent; the bureau drops the invoices; a lender reports what became of earlier loans."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from xinyidai.access.rules import Role, Viewer
from xinyidai.cli.story.acting import Stage
from xinyidai.cli.story.cast import Cast
from xinyidai.cli.story.script import FirmEntry, Script
from xinyidai.consents import service as consents
from xinyidai.consents.rules import Purpose
from xinyidai.parties import queries as party_queries
from xinyidai.parties import service as parties
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.scoring import service as scoring
from xinyidai.sources import service as sources
from xinyidai.sources.rules import DeliveryReport

CONSENT_LASTS = timedelta(days=600)
TOLD_EVERY = 100


@dataclass(frozen=True)
class Population:
    """The registered firms by the label of the input, and back."""

    viewers: Mapping[str, Viewer]

    def label_of(self, firm_id: UUID) -> str:
        """Return what the input calls a firm."""
        return self._labels()[firm_id]

    def _labels(self) -> dict[UUID, str]:
        return {viewer.organisation_id: label for label, viewer in self.viewers.items()}


async def register(stage: Stage, script: Script, cast: Cast) -> Population:
    """Register every firm with its owner and take its consents, a transaction each."""
    viewers: dict[str, Viewer] = {}
    receivers: list[UUID] = [PLATFORM_ID, *(lender.party_id for lender in cast.lenders)]
    for number, firm in enumerate(script.firms, 1):
        viewers[firm.label] = await _register_firm(stage, firm)
        await _consent(stage, viewers[firm.label], receivers, trains=firm.label in script.outcomes)
        if number % TOLD_EVERY == 0 or number == len(script.firms):
            stage.tell(f"{number} of {len(script.firms)} firms registered, with their consents")
    return Population(viewers)


async def deliver(stage: Stage, script: Script, bureau: Viewer) -> DeliveryReport:
    """Drop the invoice file at the door of `sources`."""
    report = await sources.receive_file(stage.connected.worker, bureau, script.invoice_file, now=stage.now)
    stage.tell(f"{report.loaded:,} of {report.received:,} invoices loaded, rejected {dict(report.rejected)}")
    return report


async def report_outcomes(stage: Stage, script: Script, cast: Cast) -> None:
    """Let the main lender report the outcomes of earlier loans, as a file."""
    codes = {firm.label: firm.credit_code for firm in script.firms}
    lines = [
        f"{codes[label]},{int(is_default)},{observed_on.isoformat()}"
        for label, (is_default, observed_on) in script.outcomes.items()
    ]
    text = "credit_code,is_default,observed_on\n" + "\n".join(lines) + "\n"
    async with stage.acting(cast.main_lender.maker) as session:
        await scoring.receive_outcomes(session, cast.main_lender.maker, text, now=stage.now)


async def _register_firm(stage: Stage, firm: FirmEntry) -> Viewer:
    async with stage.platform() as session:
        user_id = await parties.create_user(
            session,
            email=f"{firm.credit_code.lower()}@simulated.example",
            display_name=firm.label,
            password=None,
            now=stage.now,
        )
        party_id = await parties.register_party(
            session,
            kind=firm.kind,
            name=firm.name,
            credit_code=firm.credit_code,
            region_code=firm.region_code,
            industry_code=firm.industry_code,
            established_on=firm.established_on,
            staff=firm.staff,
            is_simulated=True,
            now=stage.now,
        )
        await parties.add_membership(session, user_id, party_id, [Role.OWNER], now=stage.now)
        viewer = await party_queries.viewer_for(session, user_id, party_id)
    assert viewer is not None, "the membership was written a line above"
    return viewer


async def _consent(stage: Stage, viewer: Viewer, receivers: list[UUID], *, trains: bool) -> None:
    expires_at = stage.now + CONSENT_LASTS
    async with stage.acting(viewer) as session:
        await consents.grant(
            session,
            viewer,
            purpose=Purpose.PRE_LOAN,
            item_codes=["vat_invoice"],
            receiver_ids=receivers,
            expires_at=expires_at,
            now=stage.now,
        )
        if trains:
            await consents.grant(
                session,
                viewer,
                purpose=Purpose.MODEL_TRAINING,
                item_codes=["vat_invoice", "loan_outcome"],
                receiver_ids=[PLATFORM_ID],
                expires_at=expires_at,
                now=stage.now,
            )
