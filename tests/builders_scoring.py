"""Firms with invoices, models, and viewers, for tests of decisions, profiles and scoring."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from uuid import UUID

import pandas as pd
from builders_consents import a_consent
from builders_parties import Desk, a_credit_code, a_desk, a_firm, the_operator
from sqlalchemy.ext.asyncio import AsyncSession

from ml.datasets.crowds import CROWD_AS_OF, draw_crowd
from ml.features.invoices import invoice_indicators
from ml.training.default_model import train
from xinyidai.access.rules import OrganisationKind, PrincipalKind, Role, Viewer
from xinyidai.consents import service as consents
from xinyidai.consents.rules import Permission, Purpose
from xinyidai.foundation.clock import SHANGHAI
from xinyidai.foundation.ids import derived_id
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.scoring import service as scoring
from xinyidai.sources import service as sources


def viewer_of(
    organisation_id: UUID,
    *roles: Role,
    kind: OrganisationKind = OrganisationKind.FIRM,
    person: str = "first",
) -> Viewer:
    """Return a person of an organisation; another `person` is another principal."""
    return Viewer(
        principal_id=derived_id(str(organisation_id), person),
        principal_kind=PrincipalKind.USER,
        organisation_id=organisation_id,
        organisation_kind=kind,
        roles=frozenset(roles or {Role.OFFICER}),
    )


@cache
def a_bundle(seed: int = 3) -> str:
    """Return the text of a model trained on made-up firms; another seed is another model."""
    crowd = draw_crowd(60, seed=seed, mean_invoices=60)
    frame = invoice_indicators(crowd.invoices, as_of=CROWD_AS_OF)
    bundle = train(frame, crowd.defaulted, population="Made-up firms, drawn from a seed")
    return bundle.canonical_bytes().decode()


async def a_released_model(session: AsyncSession, *, seed: int = 3, now: datetime) -> str:
    """Return the digest of a model that two people of the operator released."""
    desk = await the_operator(session, now=now)
    proposed = await scoring.propose_release(session, desk.maker, a_bundle(seed), now=now)
    await scoring.approve_release(session, desk.checker, proposed.digest, now=now)
    return proposed.digest


@dataclass(frozen=True)
class Town:
    """Firms with consents and invoices, and the agency that delivered them."""

    agency: Desk
    firms: tuple[Viewer, ...]
    codes: tuple[str, ...]
    defaulted: tuple[bool, ...]

    @property
    def firm_ids(self) -> list[UUID]:
        """Return the firms' ids, sorted."""
        return sorted(firm.organisation_id for firm in self.firms)


async def a_town(
    session: AsyncSession,
    *,
    firms: int = 6,
    invoices: int = 40,
    seed: int = 5,
    purposes: Sequence[Purpose] = (Purpose.PRE_LOAN,),
    now: datetime,
) -> Town:
    """Return made-up firms whose invoices of the 1,100 days before `now` were delivered to the platform."""
    crowd = draw_crowd(firms, seed=seed, mean_invoices=invoices)
    agency = await a_desk(session, OrganisationKind.AGENCY, now=now)
    owners, codes = [], []
    for _number in range(firms):
        code = a_credit_code()
        owner = await a_firm(session, credit_code=code, now=now)
        for purpose in purposes:
            await a_consent(session, owner, purpose=purpose, item_codes=("vat_invoice", "loan_outcome"), now=now)
        owners.append(owner)
        codes.append(code)
    await sources.receive_csv(session, agency.maker, csv_of(crowd.invoices, codes, until=now), now=now)
    return Town(agency, tuple(owners), tuple(codes), tuple(bool(one) for one in crowd.defaulted))


def csv_of(invoices: pd.DataFrame, codes: Sequence[str], *, until: datetime) -> bytes:
    """Return drawn invoices as a delivery, moved in time so that they end the day before `until`."""
    days = (pd.Timestamp(until).tz_convert(SHANGHAI).normalize() - CROWD_AS_OF).days
    issued = invoices["issued_at"].dt.tz_convert(SHANGHAI) + timedelta(days=days)
    table = pd.DataFrame(
        {
            "credit_code": [codes[int(str(name)[1:])] for name in invoices["enterprise_id"]],
            "invoice_no": [f"{number:08d}" for number in range(len(invoices))],
            "direction": invoices["direction"].astype(str).to_numpy(),
            "issued_on": issued.dt.strftime("%Y-%m-%d").to_numpy(),
            "counterparty": invoices["counterparty_id"].astype(str).to_numpy(),
            "net_yuan": [yuan(fen) for fen in invoices["net_fen"]],
            "tax_yuan": [yuan(fen) for fen in invoices["tax_fen"]],
            "gross_yuan": [yuan(fen) for fen in invoices["gross_fen"]],
            "status": ["void" if void else "valid" for void in invoices["is_void"]],
        }
    )
    written = io.StringIO()
    table.to_csv(written, index=False)
    return written.getvalue().encode()


def yuan(fen: int) -> str:
    """Return an amount as a delivery writes it."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"


async def a_permission(
    session: AsyncSession, firm_ids: Sequence[UUID], *, purpose: Purpose = Purpose.PRE_LOAN, now: datetime
) -> Permission:
    """Return the platform's permission to use the firms' invoices, from their consents."""
    return await consents.require(
        session,
        receiver_id=PLATFORM_ID,
        subject_ids=list(firm_ids),
        purpose=purpose,
        item_codes=["vat_invoice"],
        now=now,
    )
