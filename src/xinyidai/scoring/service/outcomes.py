"""Realised outcomes: what a lender or another room reports of a firm, kept as it was known when."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import (
    OrganisationKind,
    PrincipalKind,
    Role,
    Viewer,
    requires_kind,
    requires_role,
    requires_scope,
)
from xinyidai.access.service import platform_scope
from xinyidai.audit import service as audit
from xinyidai.audit.rules import MAX_SUBJECTS
from xinyidai.catalogue import queries as catalogue
from xinyidai.catalogue.rules import requires_usable
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.ids import new_id
from xinyidai.parties import queries as parties
from xinyidai.parties.rules import CreditCodeRefused, normalised_credit_code
from xinyidai.scoring.models import Outcome
from xinyidai.scoring.rules.outcomes import (
    Fault,
    Observation,
    OutcomeInFuture,
    OutcomeRow,
    OutcomesReport,
    read_outcomes,
)

ITEM = "loan_outcome"
SCOPE = "scores:write"


async def record_outcome(
    session: AsyncSession,
    *,
    firm_id: UUID,
    is_default: bool,
    observed_on: date,
    reported_by: UUID,
    now: datetime,
    loan_id: UUID | None = None,
) -> bool:
    """Write down what became of a firm, or of one loan to it; return whether that was news.

    `reported_by` is the organisation that says so. Saying again what it said last changes nothing; saying otherwise is
    a correction, known from now on. For rooms that know it first-hand; a file comes by `receive_outcomes`.
    """
    if observed_on > business_date(now):
        raise OutcomeInFuture
    reported = [Observation(firm_id, loan_id, reported_by, is_default, observed_on, now)]
    return await _keep_news(session, reported) == 1


async def receive_outcomes(session: AsyncSession, viewer: Viewer, text: str, *, now: datetime) -> OutcomesReport:
    """Take a lender's or an agency's list of outcomes: CSV with `credit_code`, `is_default`, `observed_on`.

    Readable rows of known firms are kept, the others counted by fault; one audit row for each thousand firms. Whether
    they may be trained on is asked of the firms' consents when training.

    Raises
    ------
    OutcomeFileRefused
        No such file: too long, without a column, or no CSV.
    ItemNotListed
        The catalogue does not list loan outcomes on that day.
    """
    _requires_reporter(viewer)
    today = business_date(now)
    requires_usable(await catalogue.item(session, ITEM, today))
    rows, faults, received = read_outcomes(text, today=today)
    firms = await _firms(session, rows)
    known = [row for row in rows if row.credit_code in firms]
    faults[Fault.FIRM_UNKNOWN] += len(rows) - len(known)
    loaded = await _keep_news(
        session,
        [
            Observation(firms[row.credit_code], None, viewer.organisation_id, row.is_default, row.observed_on, now)
            for row in known
        ],
    )
    await _write_down(session, viewer, sorted(set(firms.values())), now=now)
    rejected = {str(fault): count for fault, count in sorted(faults.items()) if count}
    return OutcomesReport(received, loaded, len(known) - loaded, rejected)


async def _keep_news(session: AsyncSession, reported: Sequence[Observation]) -> int:
    """Keep what differs from the same reporter's last word on the same firm and loan; return how many rows did."""
    if not reported:
        return 0
    async with platform_scope(session):
        last = await _last_words(session, reported)
        news: list[Observation] = []
        for one in reported:
            key = (one.firm_id, one.loan_id, one.reported_by)
            said = (one.is_default, one.observed_on)
            if last.get(key) != said:
                news.append(one)
            last[key] = said
        if news:
            await session.execute(insert(Outcome), [_row(one) for one in news])
    return len(news)


async def _last_words(
    session: AsyncSession, reported: Sequence[Observation]
) -> dict[tuple[UUID, UUID | None, UUID], tuple[bool, date]]:
    statement = (
        select(Outcome)
        .where(
            col(Outcome.firm_id).in_({one.firm_id for one in reported}),
            col(Outcome.reported_by_organisation_id).in_({one.reported_by for one in reported}),
        )
        .order_by(col(Outcome.known_at), col(Outcome.id))
    )
    rows = (await session.execute(statement)).scalars()
    return {
        (row.firm_id, row.loan_id, row.reported_by_organisation_id): (row.is_default, row.observed_on) for row in rows
    }


def _row(one: Observation) -> dict[str, UUID | bool | date | None]:
    return {
        "id": new_id(),
        "firm_id": one.firm_id,
        "loan_id": one.loan_id,
        "reported_by_organisation_id": one.reported_by,
        "is_default": one.is_default,
        "observed_on": one.observed_on,
        "known_at": one.known_at,
    }


def _requires_reporter(viewer: Viewer) -> None:
    requires_kind(viewer, OrganisationKind.LENDER, OrganisationKind.AGENCY, OrganisationKind.GUARANTOR)
    if viewer.principal_kind is PrincipalKind.CLIENT:
        requires_scope(viewer, SCOPE)
    else:
        requires_role(viewer, Role.OFFICER)


async def _firms(session: AsyncSession, rows: Sequence[OutcomeRow]) -> dict[str, UUID]:
    """Return the firms behind the codes as they were written; a code that is none is nobody's."""
    written: dict[str, str] = {}
    for row in rows:
        try:
            written[row.credit_code] = normalised_credit_code(row.credit_code)
        except CreditCodeRefused:
            continue
    async with platform_scope(session):
        found = await parties.parties_by_credit_code(session, sorted(set(written.values())))
    return {
        code: UUID(str(found[normal].id))
        for code, normal in written.items()
        if normal in found and found[normal].kind in (OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER)
    }


async def _write_down(session: AsyncSession, viewer: Viewer, firm_ids: list[UUID], *, now: datetime) -> None:
    for start in range(0, len(firm_ids), MAX_SUBJECTS):
        await audit.write_down(
            session,
            viewer,
            action="scoring.outcomes_received",
            subject_ids=firm_ids[start : start + MAX_SUBJECTS],
            object_kind="outcome",
            object_id=str(viewer.organisation_id),
            now=now,
        )
