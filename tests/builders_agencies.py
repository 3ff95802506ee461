"""An agency's desk with something of every kind on it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from builders_operations import a_colleague
from builders_parties import a_credit_code
from builders_quality import Office, an_office, electricity
from builders_sources import an_agency
from conftest import Database

from xinyidai.access.rules import Role, Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.quality import service


@dataclass(frozen=True)
class AgencysDesk:
    """An agency with two deliveries: three findings, of which one is corrected and one is asked to be waived; a row of
    an unknown firm; a stranger that delivers too, and the operator's two people.
    """

    office: Office
    stranger: Viewer
    operator: Viewer
    checker: Viewer
    first_id: UUID
    asked_id: UUID
    open_id: UUID

    @property
    def pages(self) -> list[str]:
        """Return every page of the desk, some with filters that leave nothing."""
        return [
            "/agency",
            "/agency?from_month=2020-01&to_month=2020-02",
            "/agency/findings",
            "/agency/findings?state=waived&severity=notice",
            "/agency/rules/electricity.tariff",
            "/agency/rules/water.tariff",
            f"/agency/findings/{self.open_id}",
            f"/agency/findings/{self.asked_id}",
            "/agency/waivers",
            "/agency/deliveries",
            "/agency/deliveries/new",
            f"/agency/deliveries/{self.first_id}",
        ]

    @property
    def operators_pages(self) -> list[str]:
        """Return the operator's pages of data quality."""
        return [
            "/operator/quality",
            "/operator/quality/findings",
            "/operator/quality/findings?severity=notice&state=waived",
            "/operator/quality/rules?item=electricity",
            "/operator/quality/waivers",
            f"/operator/quality/waivers/{self.asked_id}",
            "/operator/reports",
            "/operator/reports/quality/2025-06",
            "/operator/reports/operation/2025",
        ]


def an_agencys_desk(folder: Path) -> Callable[..., Awaitable[AgencysDesk]]:
    """Return what furnishes a database with an agency's desk; files are made in the folder."""

    async def furnish(database: Database, *, now: datetime) -> AgencysDesk:
        office = await an_office(database, folder, noon=now)
        rows = [
            electricity("2023-03", charged_yuan="70000.00"),
            electricity("2023-04", charged_yuan="70000.00"),
            electricity("2023-05", charged_yuan="70000.00"),
            electricity("2023-06", credit_code=a_credit_code()),
        ]
        first = await office.deliver("electricity", rows)
        await office.deliver("electricity", [electricity("2023-03", charged_yuan="710.00")], after_hours=1)
        async with in_transaction(database.worker) as session:
            await act_as_platform(session, now=now)
            stranger = await an_agency(session, now=now)
            operator = await a_colleague(session, "quality-maker", Role.OFFICER, now=now)
            checker = await a_colleague(session, "quality-checker", Role.APPROVER, now=now)
        await office.deliver("water", [water("2023-04")], after_hours=2, sender=stranger)
        found = {(one.rule_code, one.line_no): one.id for one in await office.findings()}
        asked, left = found["electricity.tariff", 2], found["electricity.tariff", 3]
        async with in_transaction(database.app) as session:
            await act_as(session, office.agency, now=now)
            await service.ask_waiver(session, office.agency, asked, "该企业实行合同电价", now=now)
        return AgencysDesk(office, stranger, operator, checker, first.delivery_id, asked, left)

    return furnish


def water(month: str) -> dict[str, str | None]:
    """Return a month of water at a tariff that is none."""
    return {"month": month, "used_m3": "100", "charged_yuan": "90000.00", "owed_yuan": "0.00"}
