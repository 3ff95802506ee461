"""Statistics of lending, and the reconciliation with the ledger."""

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Final

from sqlalchemy import text
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import OrganisationKind, Viewer, requires_kind
from xinyidai.access.service import platform_scope
from xinyidai.foundation.clock import start_of_day
from xinyidai.foundation.money import Fen
from xinyidai.ledger import queries as ledger
from xinyidai.reporting.rules import (
    NON_PERFORMING,
    Activity,
    Difference,
    Dimension,
    DriftRow,
    LendingRow,
    Reconciliation,
    check_span,
)

SEES_ALL: Final = (OrganisationKind.REGULATOR, OrganisationKind.OPERATOR)
SEES_OWN: Final = (OrganisationKind.LENDER, OrganisationKind.FUND, OrganisationKind.GUARANTOR)
MAX_DIFFERENCES: Final = 1_000
UNDERWAY_MINUTES: Final = 10
MAKES_COVER: Final = "risk_sharing.make_cover"
"""The consumer that writes down the cover of a disbursed loan; `reporting` is above it and may name it."""
Only = Mapping[Dimension, str]
NO_FILTER: Final[Only] = MappingProxyType({})
_KEYS: Final = {
    Dimension.MONTH: ("month", "NULL::text"),
    Dimension.LENDER: ("lender_id::text", "max(lender_name)"),
    Dimension.REGION: ("region_code", "max(region_name)"),
    Dimension.INDUSTRY: ("industry_code", "max(industry_name)"),
    Dimension.RISK_CLASS: ("risk_class", "NULL::text"),
}
_SUMS: Final = (
    "count(*) AS loans, count(DISTINCT firm_id) AS firms, coalesce(sum(principal_fen), 0) AS disbursed_fen,"
    " round(sum(principal_fen::numeric * rate_bp) / nullif(sum(principal_fen), 0))::int AS weighted_rate_bp,"
    " coalesce(sum(outstanding_fen), 0) AS outstanding_fen,"
    " coalesce(sum(outstanding_fen) FILTER (WHERE days_past_due > 0), 0) AS overdue_fen,"
    " coalesce(sum(outstanding_fen) FILTER (WHERE risk_class = ANY (:non_performing)), 0) AS non_performing_fen,"
    " count(*) FILTER (WHERE is_first_loan) AS first_loans, count(is_first_loan) AS attested_loans,"
    " coalesce(sum(principal_fen) FILTER (WHERE is_covered), 0) AS covered_fen,"
    " coalesce(sum(claims_paid_fen), 0) AS claims_paid_fen, coalesce(sum(returned_fen), 0) AS returned_fen"
)
_FACTS: Final = "reporting.lending_fact JOIN (SELECT id AS loan_id, rate_bp FROM loans.loan) AS priced USING (loan_id)"


def _counted(table: str, moment: str, more: str = "") -> str:
    return f"(SELECT count(*) FROM {table} WHERE {moment} >= :from_at AND {moment} < :to_at{more})"  # noqa: S608


# Another bank is asked after a refusal and after silence alike; a refusal has its code.
_SILENT: Final = " AND (state = 'timed_out' OR (state = 'redispatched' AND decline_code IS NULL))"
_ANSWERED: Final = " AND (state IN ('indicated', 'chosen', 'offered') OR decline_code IS NOT NULL)"
_ACTIVITY: Final = (
    f"SELECT {_counted('demands.demand', 'submitted_at')} AS demands,"  # noqa: S608 - tables named here
    f" {_counted('matching.dispatch', 'sent_at')} AS dispatches,"
    f" {_counted('matching.dispatch', 'sent_at', _ANSWERED)} AS answered_in_time,"
    f" {_counted('matching.dispatch', 'sent_at', _SILENT)} AS timed_out,"
    f" {_counted('risk_sharing.claim', 'filed_at')} AS claims_filed,"
    f" {_counted('risk_sharing.claim', 'paid_at')} AS claims_paid,"
    " (SELECT coalesce(sum(fund_paid_fen + guarantor_paid_fen), 0) FROM risk_sharing.claim"
    " WHERE paid_at >= :from_at AND paid_at < :to_at) AS claims_paid_fen,"
    f" {_counted('consents.consent', 'granted_at')} AS consents_given,"
    f" {_counted('consents.consent', 'revoked_at')} AS consents_revoked"
)
_SEEN: Final = (
    "disbursed_on >= :from_on AND disbursed_on < :to_on"
    " AND (:all OR lender_id = :viewer OR fund_id = :viewer OR guarantor_id = :viewer)"
)


async def lending(
    session: AsyncSession, viewer: Viewer, *, by: Dimension, from_on: date, to_on: date, only: Only = NO_FILTER
) -> list[LendingRow]:
    """Return lending of a span (`to_on` excluded) broken down, in order of the key; `only` keeps one key a dimension.

    Regulator and operator see all lenders, a lender, fund or guarantor what it takes part in. No row names a firm.

    Raises
    ------
    NotAllowed, SpanRefused
    """
    key, name = _KEYS[by]
    statement = text(
        f"SELECT {key} AS key, {name} AS name, {_SUMS}"  # noqa: S608 - columns of a table of this module
        f" FROM {_FACTS} WHERE {_SEEN}{_kept(only)} GROUP BY 1 ORDER BY 1"
    )
    return [_row_of(row) for row in await _seen(session, viewer, statement.text, from_on, to_on, only)]


async def totals(
    session: AsyncSession, viewer: Viewer, *, from_on: date, to_on: date, only: Only = NO_FILTER
) -> LendingRow:
    """Return the sum over a span, under the same scope as `lending`; the key is ``"total"``.

    Raises
    ------
    NotAllowed, SpanRefused
    """
    statement = f"SELECT 'total' AS key, NULL::text AS name, {_SUMS} FROM {_FACTS} WHERE {_SEEN}{_kept(only)}"  # noqa: S608
    (row,) = await _seen(session, viewer, statement, from_on, to_on, only)
    return _row_of(row)


async def offer_drift(session: AsyncSession, viewer: Viewer, *, from_on: date, to_on: date) -> list[DriftRow]:
    """Return, for each lender that indicated in a span (`to_on` excluded), how far its binding offers drifted.

    Regulator and operator see all lenders, a lender itself alone; in order of the lender's credit code.

    Raises
    ------
    NotAllowed, SpanRefused
    """
    requires_kind(viewer, *SEES_ALL, OrganisationKind.LENDER)
    check_span(from_on, to_on)
    sent = {
        "from_on": from_on,
        "to_on": to_on,
        "all": viewer.is_one_of(*SEES_ALL),
        "viewer": viewer.organisation_id,
    }
    async with platform_scope(session):
        found = await session.execute(text(_DRIFT), sent)
        return [DriftRow(**row._mapping) for row in found]


async def activity(session: AsyncSession, viewer: Viewer, *, from_on: date, to_on: date) -> Activity:
    """Return what happened in a span of Shanghai days (`to_on` excluded): for regulator and operator. Counts only.

    Raises
    ------
    NotAllowed, SpanRefused
    """
    requires_kind(viewer, *SEES_ALL)
    check_span(from_on, to_on)
    span = {"from_at": start_of_day(from_on), "to_at": start_of_day(to_on)}
    async with platform_scope(session):
        row = (await session.execute(text(_ACTIVITY), span)).one()
    counts = {name: int(value) for name, value in row._mapping.items()}
    return Activity(**counts | {"claims_paid_fen": Fen(counts["claims_paid_fen"])})  # type: ignore[arg-type]


async def reconcile(session: AsyncSession, viewer: Viewer | None = None) -> Reconciliation:
    """Compare loans, ledger, covers and statistics, and list every difference, at most MAX_DIFFERENCES.

    A cover follows its disbursement by an event: for UNDERWAY_MINUTES one that is still on its way is no difference.
    Sums that are compared come from one statement: while people disburse, two would see two different moments.

    For regulator and operator; without a viewer, for the platform's own jobs and commands.

    Raises
    ------
    NotAllowed
    """
    if viewer is not None:
        requires_kind(viewer, *SEES_ALL)
    async with platform_scope(session):
        sums = (await session.execute(text(_TOTALS))).one()
        found = await session.execute(text(_DIFFERENCES), {"most": MAX_DIFFERENCES})
        differences = tuple(Difference(row.what, row.ref, row.room_fen, row.ledger_fen) for row in found)
        imbalance = await ledger.imbalance_fen(session)
    return Reconciliation(
        loans_fen=Fen(int(sums.loans_fen)),
        ledger_fen=Fen(int(sums.ledger_fen)),
        reported_fen=Fen(int(sums.reported_fen)),
        covered_fen=Fen(int(sums.covered_fen)),
        covers_fen=Fen(int(sums.covers_fen)),
        underway_fen=Fen(int(sums.underway_fen)),
        claims_paid_fen=Fen(int(sums.claims_paid_fen)),
        returned_fen=Fen(int(sums.returned_fen)),
        imbalance_fen=Fen(imbalance),
        differences=differences,
    )


_DRIFT: Final = (
    "SELECT lender_id::text AS lender_id, lender_name, count(DISTINCT indication_id) AS indications,"
    " count(DISTINCT indication_id) FILTER (WHERE is_chosen) AS chosen, count(offer_id) AS binding_offers,"
    " count(offer_id) FILTER (WHERE is_inside) AS inside,"
    " percentile_disc(0.5) WITHIN GROUP (ORDER BY amount_below_ppm) AS median_amount_below_ppm,"
    " percentile_disc(0.5) WITHIN GROUP (ORDER BY rate_above_bp) AS median_rate_above_bp,"
    " count(DISTINCT indication_id) FILTER (WHERE is_declined_after_choice) AS declined_after_choice,"
    " count(DISTINCT indication_id) FILTER (WHERE is_silent_after_choice) AS silent_after_choice"
    " FROM reporting.indication_fact"
    " WHERE indicated_on >= :from_on AND indicated_on < :to_on AND (:all OR lender_id = :viewer)"
    " GROUP BY reporting.indication_fact.lender_id, lender_name, lender_code ORDER BY lender_code, lender_name"
)
_UNDERWAY: Final = (
    "SELECT event.body ->> 'loan_id' AS loan_id FROM foundation.outbox_delivery AS delivery"  # noqa: S608 - constants
    " JOIN foundation.outbox_event AS event ON event.id = delivery.event_id"
    f" WHERE delivery.state = 'waiting' AND delivery.consumer = '{MAKES_COVER}'"
    f" AND event.recorded_at > clock_timestamp() - interval '{UNDERWAY_MINUTES} minutes'"
)
_DIFFERENCES: Final = (
    "SELECT what, ref, room_fen, ledger_fen FROM reporting.book_difference"  # noqa: S608 - constants
    f" WHERE NOT (what = 'cover' AND ledger_fen = 0 AND ref IN ({_UNDERWAY})) ORDER BY what, ref LIMIT :most"
)
_TOTALS: Final = (
    "SELECT (SELECT coalesce(sum(principal_fen), 0) FROM loans.loan) AS loans_fen,"  # noqa: S608 - constants
    " (SELECT coalesce(sum(entry.amount_fen), 0) FROM ledger.entry AS entry"
    "   JOIN ledger.journal AS journal ON journal.id = entry.journal_id"
    "   JOIN ledger.account AS account ON account.id = entry.account_id"
    "   WHERE journal.kind = 'disbursement' AND entry.amount_fen > 0"
    "   AND starts_with(account.code, 'lending:lender:')) AS ledger_fen,"
    " (SELECT coalesce(sum(principal_fen), 0) FROM loans.loan"
    f"   WHERE reservation_id IS NOT NULL AND id::text IN ({_UNDERWAY})"
    "   AND NOT EXISTS (SELECT FROM risk_sharing.cover WHERE cover.loan_id = loan.id)) AS underway_fen,"
    " (SELECT coalesce(sum(principal_fen), 0) FROM reporting.lending_fact) AS reported_fen,"
    " (SELECT coalesce(sum(principal_fen), 0) FROM loans.loan WHERE reservation_id IS NOT NULL) AS covered_fen,"
    " (SELECT coalesce(sum(principal_fen), 0) FROM risk_sharing.cover) AS covers_fen,"
    " (SELECT coalesce(sum(claims_paid_fen), 0) FROM reporting.lending_fact) AS claims_paid_fen,"
    " (SELECT coalesce(sum(returned_fen), 0) FROM reporting.lending_fact) AS returned_fen"
)


def _kept(only: Only) -> str:
    """Return the conditions that keep one key of each named dimension; the keys themselves are bound."""
    return "".join(f" AND {_KEYS[by][0]} = :only_{by.value}" for by in only)


async def _seen(
    session: AsyncSession, viewer: Viewer, statement: str, from_on: date, to_on: date, only: Only
) -> list[Row[tuple[object, ...]]]:
    """Run a statistic over the rows that the viewer takes part in: the scope is in the statement itself."""
    requires_kind(viewer, *SEES_ALL, *SEES_OWN)
    check_span(from_on, to_on)
    sent = {
        "from_on": from_on,
        "to_on": to_on,
        "all": viewer.is_one_of(*SEES_ALL),
        "viewer": viewer.organisation_id,
        "non_performing": list(NON_PERFORMING),
        **{f"only_{by.value}": key for by, key in only.items()},
    }
    async with platform_scope(session):
        return list((await session.execute(text(statement), sent)).all())


def _row_of(row: Row[tuple[object, ...]]) -> LendingRow:
    return LendingRow(
        key=row.key,
        name=row.name,
        loans=row.loans,
        firms=row.firms,
        disbursed_fen=Fen(int(row.disbursed_fen)),
        weighted_rate_bp=row.weighted_rate_bp,
        outstanding_fen=Fen(int(row.outstanding_fen)),
        overdue_fen=Fen(int(row.overdue_fen)),
        non_performing_fen=Fen(int(row.non_performing_fen)),
        first_loans=row.first_loans,
        attested_loans=row.attested_loans,
        covered_fen=Fen(int(row.covered_fen)),
        claims_paid_fen=Fen(int(row.claims_paid_fen)),
        returned_fen=Fen(int(row.returned_fen)),
    )
