"""Reading subscriptions and daily files."""

from datetime import date, timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import OrganisationKind, Viewer, requires_kind
from xinyidai.foundation.database import driver
from xinyidai.foundation.paging import MAX_PAGE
from xinyidai.sources.models.offices import DayFile, SentList, Subscription
from xinyidai.sources.rules.offices.day_files import KEPT_DAYS
from xinyidai.sources.rules.records.kinds import KINDS
from xinyidai.sources.rules.subscriptions import (
    DayFileState,
    DayFileView,
    SentListView,
    SubscriptionEnd,
    SubscriptionState,
    SubscriptionView,
)

_TOLD_LATER: Final = (
    "SELECT f.firm_id, f.month FROM sources.day_file o JOIN sources.delivery d ON d.id = o.delivery_id"
    " JOIN sources.{table} f ON f.firm_id = ANY (d.firm_ids) AND f.delivery_no = d.no"
    " WHERE o.item_code = $1 AND o.day > $2"
)


async def subscriptions(session: AsyncSession, viewer: Viewer) -> list[SubscriptionView]:
    """Return the viewer's firm's places on the list, newest first, at most `MAX_PAGE`."""
    statement = select(Subscription).where(col(Subscription.firm_id) == viewer.organisation_id)
    rows = await session.execute(statement.order_by(col(Subscription.id).desc()).limit(MAX_PAGE))
    return [subscription_view(row) for row in rows.scalars()]


async def day_files(session: AsyncSession, viewer: Viewer, *, since: date) -> list[DayFileView]:
    """Return the daily files since a day, newest first, to the operator; two a day.

    Raises
    ------
    NotAllowed
    """
    requires_kind(viewer, OrganisationKind.OPERATOR)
    statement = select(DayFile).where(col(DayFile.day) >= since)
    rows = await session.execute(statement.order_by(col(DayFile.day).desc(), col(DayFile.item_code)).limit(MAX_PAGE))
    return [day_file_view(row) for row in rows.scalars()]


async def sent_lists(session: AsyncSession, viewer: Viewer, *, since: date) -> list[SentListView]:
    """Return the lists since a day, newest first, to the operator.

    Raises
    ------
    NotAllowed
    """
    requires_kind(viewer, OrganisationKind.OPERATOR)
    statement = select(SentList).where(col(SentList.day) >= since).order_by(col(SentList.day).desc()).limit(MAX_PAGE)
    return [
        SentListView(row.day, row.tries, row.reason, row.named, row.refused, row.sent_at)
        for row in (await session.execute(statement)).scalars()
    ]


def shown_since(today: date) -> date:
    """Return since which day lists and files are shown: as far back as the office keeps them."""
    return today - timedelta(days=KEPT_DAYS - 1)


async def told_later(session: AsyncSession, day: date, item_code: str) -> set[tuple[UUID, date]]:
    """Return the firms and months of an item that files of later days told, as far as the transaction may see them.

    A file that was refused at first may come after its successors, and must not undo what they put right.
    """
    found = await (await driver(session)).fetch(_TOLD_LATER.format(table=KINDS[item_code].table), item_code, day)
    return {(row["firm_id"], row["month"]) for row in found}


def subscription_view(row: Subscription) -> SubscriptionView:
    """Return a row as a value."""
    return SubscriptionView(
        id=row.id,
        firm_id=row.firm_id,
        state=SubscriptionState(row.state),
        reason=None if row.reason is None else SubscriptionEnd(row.reason),
        asked_at=row.asked_at,
        listed_from=row.listed_from,
        rests_on=row.rests_on,
        ended_at=row.ended_at,
    )


def day_file_view(row: DayFile) -> DayFileView:
    """Return a row as a value."""
    return DayFileView(
        day=row.day,
        item_code=row.item_code,
        state=DayFileState(row.state),
        reason=row.reason,
        tries=row.tries,
        received=row.received,
        discarded=row.discarded,
        outdated=row.outdated,
        loaded=row.loaded,
        delivery_id=row.delivery_id,
        settled_at=row.settled_at,
    )
