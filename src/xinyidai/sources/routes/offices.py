"""The doors of offices that answer in their own time: the list for daily files, and what the courts call back."""

from datetime import datetime
from typing import Final

from litestar import Request, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import JSONBody, RawBody
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import OrganisationKind, Role, Viewer
from xinyidai.foundation.clock import business_date
from xinyidai.sources.queries import day_files as queries
from xinyidai.sources.rules.offices.court_answers import MAX_CALLBACK_BYTES
from xinyidai.sources.schemas.offices import (
    DayFileOut,
    DayFilesOut,
    SentListOut,
    SubscriptionIn,
    SubscriptionOut,
    SubscriptionsOut,
)
from xinyidai.sources.service import SCOPE, court_jobs, subscribing

BY_FIRM: Final = requires(
    OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER, roles=(Role.OWNER, Role.OFFICER), scope=SCOPE
)
BY_FIRM_READING: Final = requires(OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER, scope="sources:read")
BY_OPERATOR: Final = requires(OrganisationKind.OPERATOR)
_MOST_HEADER: Final = 512


@post(
    "/benefits/subscription",
    operation_id="SubscribeBenefits",
    summary="Let my contributions be fetched daily",
    description="Puts the firm on the list of who lets the platform have its social insurance and housing fund, with"
    " the number that the office gave the firm, while it consents to either item. The list goes out once a day; the"
    " first file brings 36 months. The same number again answers with the same place, a new one takes it over.",
    guards=[BY_FIRM],
    status_code=202,
)
async def subscribe(
    data: JSONBody[SubscriptionIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> SubscriptionOut:
    """Subscribe."""
    return SubscriptionOut.of(await subscribing.subscribe(session, viewer, data.reference, now=now))


@post(
    "/benefits/subscription/end",
    operation_id="EndBenefitsSubscription",
    summary="Take my firm off the list",
    description="The next list is without the firm, and rows that still come are thrown away unread. What was loaded"
    " stays, under the firm's consent.",
    guards=[BY_FIRM],
    status_code=200,
)
async def unsubscribe(
    viewer: NamedDependency[Viewer], session: NamedDependency[AsyncSession], now: NamedDependency[datetime]
) -> SubscriptionOut:
    """End it."""
    return SubscriptionOut.of(await subscribing.unsubscribe(session, viewer, now=now))


@get(
    "/benefits/subscription",
    operation_id="ListBenefitsSubscriptions",
    summary="My places on the list",
    description="How the firm stands on the list for daily files, and how it stood before.",
    guards=[BY_FIRM_READING],
)
async def list_subscriptions(
    viewer: NamedDependency[Viewer], session: NamedDependency[AsyncSession]
) -> SubscriptionsOut:
    """List."""
    return SubscriptionsOut(rows=[SubscriptionOut.of(one) for one in await queries.subscriptions(session, viewer)])


@get(
    "/benefits/files",
    operation_id="ListBenefitsFiles",
    summary="The lists and daily files",
    description="What became of the lists and files of the last 30 days, with the rows that were thrown away unread."
    " Counts only.",
    guards=[BY_OPERATOR],
)
async def list_files(
    viewer: NamedDependency[Viewer], session: NamedDependency[AsyncSession], now: NamedDependency[datetime]
) -> DayFilesOut:
    """List."""
    since = queries.shown_since(business_date(now))
    return DayFilesOut(
        lists=[SentListOut.of(one) for one in await queries.sent_lists(session, viewer, since=since)],
        files=[DayFileOut.of(one) for one in await queries.day_files(session, viewer, since=since)],
    )


@post(
    "/courts/callbacks",
    operation_id="HearCourts",
    summary="The courts call back",
    description="Called by the courts when the answer to a query is there, signed as Standard Webhooks has it. The"
    " signature is checked before anything is read, and nothing that is said here is stored: the answer is fetched."
    " Called again, or late, it changes nothing.",
    opt={"public": True},
    status_code=204,
    request_max_body_size=MAX_CALLBACK_BYTES,
)
async def hear_courts(
    body: RawBody,
    request: Request[object, object, State],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> None:
    """Hear."""
    told = {
        name: request.headers.get(f"webhook-{name}", "")[:_MOST_HEADER] for name in ("id", "timestamp", "signature")
    }
    await court_jobs.hear_callback(
        session,
        body,
        message_id=told["id"],
        timestamp=told["timestamp"],
        signature=told["signature"],
        now=now,
    )


HANDLERS: Final = (subscribe, unsubscribe, list_subscriptions, list_files, hear_courts)
