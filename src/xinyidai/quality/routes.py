"""The doors of data quality: the rules, what they found, waivers, pass rates."""

from datetime import date, datetime
from uuid import UUID

from litestar import Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import OrganisationKind, Role, Viewer
from xinyidai.foundation.clock import business_date
from xinyidai.quality import queries, service
from xinyidai.quality.rules import FindingFilter, FindingState
from xinyidai.quality.schemas import (
    FindingOut,
    FindingPageOut,
    PassRateOut,
    PassRatesOut,
    RuleCountsOut,
    RuleOut,
    RulesOut,
    WaiverDecisionIn,
    WaiverIn,
)
from xinyidai.sources.service import SCOPE

BY_READER = requires(*queries.SEES, scope="sources:read")
BY_SENDER = requires(*queries.SEES, roles=(Role.OFFICER, Role.ADMIN), scope=SCOPE)
BY_OPERATOR = requires(OrganisationKind.OPERATOR, roles=(Role.OFFICER, Role.APPROVER))


@get(
    "/rules",
    operation_id="ListQualityRules",
    summary="The quality rules",
    description="Every rule in force on a Shanghai day, today's where none is named, with its condition.",
    guards=[BY_READER],
)
async def list_quality_rules(
    session: NamedDependency[AsyncSession], now: NamedDependency[datetime], on: FromQuery[date | None] = None
) -> RulesOut:
    """List the rules of a day."""
    day = on or business_date(now)
    return RulesOut(on=day, rules=[RuleOut.of(rule) for rule in await queries.rules_on(session, day)])


@get(
    "/findings",
    operation_id="ListFindings",
    summary="What the quality rules found",
    description="In one's own deliveries, newest first; to the operator in everybody's. A finding closes when an"
    " ordinary delivery corrects its fact, or when the operator waives it.",
    guards=[BY_READER],
)
async def list_findings(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    in_state: FromQuery[FindingState | None] = None,
    item_code: FromQuery[str | None] = None,
    cursor: FromQuery[str | None] = None,
    limit: FromQuery[int] = 50,
) -> FindingPageOut:
    """List findings."""
    sought = FindingFilter(state=in_state, item_code=item_code)
    found = await queries.findings(session, viewer, sought, cursor=cursor, limit=limit)
    return FindingPageOut.of(found)


@post(
    "/findings/{finding_id:uuid}/waiver",
    operation_id="AskWaiver",
    summary="Ask that a finding be waived",
    description="With a reason, by the sender of the delivery; the operator decides. Asking again replaces the reason.",
    guards=[BY_SENDER],
)
async def ask_waiver(
    finding_id: FromPath[UUID],
    data: JSONBody[WaiverIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> FindingOut:
    """Ask."""
    return FindingOut.of(await service.ask_waiver(session, viewer, finding_id, data.reason, now=now))


@post(
    "/findings/{finding_id:uuid}/waiver-decision",
    operation_id="DecideWaiver",
    summary="Decide on a waiver",
    description="A granted one closes the finding until before `until_on`, a year at most, and then it is open again; a"
    " refused one leaves it open. Nobody decides what they asked for.",
    guards=[BY_OPERATOR],
)
async def decide_waiver(
    finding_id: FromPath[UUID],
    data: JSONBody[WaiverDecisionIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> FindingOut:
    """Decide."""
    decided = await service.decide_waiver(
        session, viewer, finding_id, is_granted=data.is_granted, until_on=data.until_on, now=now
    )
    return FindingOut.of(decided)


@get(
    "/pass-rates",
    operation_id="ReportPassRates",
    summary="How deliveries came through",
    description="By item, sender and month of arrival, from the first month to the last; this month where none is"
    " named. A sender sees its own. Rows that fail a rule of severity error, and rows kept aside, do not pass; repeats"
    " are left out. `wrong_code_ppm` are the rows whose credit code is of no firm here.",
    guards=[BY_READER],
)
async def report_pass_rates(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    from_month: FromQuery[date | None] = None,
    to_month: FromQuery[date | None] = None,
) -> PassRatesOut:
    """Report."""
    last = (to_month or business_date(now)).replace(day=1)
    first = (from_month or last).replace(day=1)
    rows = await queries.pass_rates(session, viewer, from_month=first, to_month=last)
    return PassRatesOut(from_month=first, to_month=last, rows=[PassRateOut.of(row) for row in rows])


@get(
    "/pass-rates/rules",
    operation_id="ReportRuleCounts",
    summary="Which rules said no",
    description="Of one item from one sender in one month: how often each rule was asked and how often it said no.",
    guards=[BY_READER],
)
async def report_rule_counts(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    item_code: FromQuery[str],
    sender_id: FromQuery[UUID],
    month: FromQuery[date],
) -> RuleCountsOut:
    """Report by rule."""
    found = await queries.rule_counts(session, viewer, item_code=item_code, sender_id=sender_id, month=month)
    return RuleCountsOut.of(found)


router = Router(
    path="/quality",
    route_handlers=[
        list_quality_rules,
        list_findings,
        ask_waiver,
        decide_waiver,
        report_pass_rates,
        report_rule_counts,
    ],
    tags=["quality"],
)
