"""Deliveries that are judged: an agency, a firm that consented to every item, and the room's own jobs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import pandas as pd
from builders_consents import a_consent
from builders_parties import a_credit_code, a_firm
from builders_sources import ON_CONSENT, an_agency
from conftest import Database
from sqlalchemy import select
from sqlmodel import col

from xinyidai.access.rules import Viewer
from xinyidai.access.service import act_as_platform
from xinyidai.foundation.database import in_transaction
from xinyidai.quality import queries, service
from xinyidai.quality.models import Finding, JudgedDelivery, RuleTally
from xinyidai.quality.rules import FindingView
from xinyidai.sources import service as sources
from xinyidai.sources.rules import COLUMNS, ITEM, DeliveryKind, DeliveryReport
from xinyidai.sources.rules.records.kinds import KINDS

Row = dict[str, str | None]


@dataclass
class Office:
    """An agency that delivers, a firm of 2018 that allows it, and what was found."""

    database: Database
    folder: Path
    agency: Viewer
    firm: Viewer
    code: str
    noon: datetime

    async def deliver(
        self, item: str, rows: Sequence[Row], *, after_hours: int = 0, sender: Viewer | None = None
    ) -> DeliveryReport:
        """Deliver rows as a CSV file some hours after noon, and judge the delivery as its event would."""
        report = await self.only_deliver(item, rows, after_hours=after_hours, sender=sender)
        async with in_transaction(self.database.worker) as session:
            at = self.noon + timedelta(hours=after_hours)
            await act_as_platform(session, now=at)
            await service.judge_delivery(session, report.delivery_id, now=at)
        return report

    async def only_deliver(
        self, item: str, rows: Sequence[Row], *, after_hours: int = 0, sender: Viewer | None = None
    ) -> DeliveryReport:
        """Deliver rows and judge nothing."""
        kind = DeliveryKind(item)
        columns = COLUMNS if kind.item_code == ITEM else KINDS[item].delivered
        path = self.folder / f"{len(list(self.folder.iterdir()))}.csv"
        filled = [{"credit_code": self.code} | row for row in rows]
        pd.DataFrame(filled, columns=list(columns)).to_csv(path, index=False, lineterminator="\n")
        at = self.noon + timedelta(hours=after_hours)
        return await sources.receive_file(self.database.worker, sender or self.agency, path, kind=kind, now=at)

    async def link(self, *, after_hours: int = 0) -> int:
        """Judge firms over their sources, as the hourly job does."""
        async with in_transaction(self.database.worker) as session:
            at = self.noon + timedelta(hours=after_hours)
            await act_as_platform(session, now=at)
            return await service.link_firms(session, now=at)

    async def findings(self) -> list[FindingView]:
        """Return every finding, in the order of lines and rules."""
        async with in_transaction(self.database.worker) as session:
            await act_as_platform(session, now=self.noon)
            order = (col(Finding.delivery_no), col(Finding.line_no), col(Finding.rule_code))
            return [queries.view_of(row) for row in await session.scalars(select(Finding).order_by(*order))]

    async def found(self) -> list[tuple[int, int | None, str, str]]:
        """Return delivery, line, rule and state of every finding."""
        return [(one.delivery_no, one.line_no, one.rule_code, one.state.value) for one in await self.findings()]

    async def judged(self) -> list[tuple[int, int, int, int]]:
        """Return the judged, failed, refused and unknown rows of every delivery, in order."""
        async with in_transaction(self.database.worker) as session:
            await act_as_platform(session, now=self.noon)
            rows = await session.scalars(select(JudgedDelivery).order_by(col(JudgedDelivery.delivery_no)))
            return [(row.judged, row.failed, row.refused, row.unknown_firm) for row in rows]

    async def counted(self, rule_code: str) -> list[tuple[int, int, int]]:
        """Return delivery, checked and failed of one rule."""
        async with in_transaction(self.database.worker) as session:
            await act_as_platform(session, now=self.noon)
            statement = select(RuleTally).where(col(RuleTally.rule_code) == rule_code)
            rows = await session.scalars(statement.order_by(col(RuleTally.delivery_no)))
            return [(row.delivery_no, row.checked, row.failed) for row in rows]


async def an_office(database: Database, folder: Path, *, noon: datetime) -> Office:
    """Return an agency and a firm that consented to every item."""
    code = a_credit_code()
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        agency = await an_agency(session, now=noon)
        firm = await a_firm(session, credit_code=code, established_on=date(2018, 3, 1), now=noon)
        await a_consent(session, firm, item_codes=[*ON_CONSENT, ITEM], now=noon)
    return Office(database, folder, agency, firm, code, noon)


def electricity(month: str, **fields: str) -> Row:
    """Return a good month of electricity at 0.70 yuan a kilowatt-hour."""
    row: Row = {
        "month": month,
        "used_kwh": "1000",
        "charged_yuan": "700.00",
        "owed_yuan": "0.00",
        "is_cut_off": "false",
    }
    return row | fields
