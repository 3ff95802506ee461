"""Verbs of profiles: compute the indicators of firms, and show one firm's profile to somebody who may see it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from uuid import UUID

import pandas as pd
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import OrganisationKind, Viewer, requires_kind
from xinyidai.access.service import platform_scope
from xinyidai.audit import service as audit
from xinyidai.consents import service as consents
from xinyidai.consents.rules import Permission, Purpose
from xinyidai.decisions import service as decisions
from xinyidai.foundation.canonical import canonical_bytes
from xinyidai.foundation.clock import business_date, start_of_day
from xinyidai.foundation.errors import ValueRefused
from xinyidai.foundation.ids import new_id
from xinyidai.profiles import model, queries
from xinyidai.profiles.models import Profile
from xinyidai.profiles.rules.fingerprints import NOTHING, lineages
from xinyidai.profiles.rules.months import MonthOfSales, monthly_sales
from xinyidai.profiles.rules.readings import INVOICES, Lineage
from xinyidai.profiles.rules.record_readings import RECORD_PREFIX, ProfileView, RecordReading
from xinyidai.sources import queries as sources

FIRMS_AT_ONCE = 100
"""A hundred firms of the largest kind met (20,000 invoices each) are 2 million rows, about 250 MB at a time."""

_SEAL = b"profile:"
_NO_DATA: Mapping[str, str | None] = {}


@dataclass(frozen=True)
class Drawn:
    """Indicators (firms with an invoice in the window, float64) and lineage (firms with any invoice before `as_of`)."""

    frame: pd.DataFrame
    lineage: Mapping[UUID, Lineage]

    def vector_of(self, firm_id: UUID) -> Mapping[str, str | None]:
        """Return a firm's indicators as exact texts; empty without an invoice in the window."""
        place = self._places.get(str(firm_id))
        return _NO_DATA if place is None else model.vector_of(self.frame, place)

    def lineage_of(self, firm_id: UUID) -> Lineage:
        """Return what a firm's indicators were read from."""
        return self.lineage.get(firm_id, NOTHING)

    @cached_property
    def _places(self) -> Mapping[str, int]:
        return {name: place for place, name in enumerate(self.frame.index.tolist())}


async def draw(session: AsyncSession, permission: Permission, *, as_of: datetime, known_at: datetime) -> Drawn:
    """Read the permitted firms' invoices as they were known at `known_at` and compute their indicators.

    Works through FIRMS_AT_ONCE firms at a time: each firm's row depends on its own invoices alone. The caller writes
    the audit row, which says who asked and why.

    Raises
    ------
    ConsentMissing
        The permission does not cover invoices.
    """
    frames: list[pd.DataFrame] = []
    lineage: dict[UUID, Lineage] = {}
    firm_ids = sorted(permission.subject_ids)
    for start in range(0, len(firm_ids), FIRMS_AT_ONCE):
        part = replace(permission, subject_ids=frozenset(firm_ids[start : start + FIRMS_AT_ONCE]))
        invoices = await sources.invoices(session, part, before=as_of, known_at=known_at)
        frames.append(model.compute(invoices, as_of=as_of))
        lineage |= lineages(invoices)
    return Drawn(_together(frames), lineage)


def _together(frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Return the frames as one; one alone, as of a single firm, is not copied."""
    if len(frames) == 1:
        return frames[0]
    return pd.concat(frames) if frames else pd.DataFrame()


async def indicators_as_of(
    session: AsyncSession, permission: Permission, *, as_of: datetime, known_at: datetime
) -> pd.DataFrame:
    """Return the permitted firms' indicators as a frame indexed by firm id (text); see `draw`."""
    return (await draw(session, permission, as_of=as_of, known_at=known_at)).frame


async def own_profile(session: AsyncSession, viewer: Viewer, *, now: datetime) -> ProfileView:
    """Show a firm its own profile: a right that needs no consent, as often as it asks, without charge.

    As of the beginning of the Shanghai day, so that every look of one day agrees unless facts arrived.
    """
    codes = sorted({INVOICES, *queries.record_items()})
    permission = await consents.require_own(session, viewer, item_codes=codes, now=now)
    return await _show(session, viewer, permission, viewer.organisation_id, as_of=_today(now), now=now)


async def own_sales(session: AsyncSession, viewer: Viewer, *, now: datetime) -> tuple[MonthOfSales, ...]:
    """Return a firm's own net sales by month: part of the look at the profile beside it, whose audit row covers it."""
    permission = await consents.require_own(session, viewer, item_codes=[INVOICES], now=now)
    invoices = await sources.invoices(session, permission, before=now, known_at=now)
    return monthly_sales(invoices, until=business_date(now))


async def sales_of(session: AsyncSession, viewer: Viewer, firm_id: UUID, *, now: datetime) -> tuple[MonthOfSales, ...]:
    """Return a firm's net sales by month to a receiver that its consent names, beside its profile.

    Raises
    ------
    ConsentMissing
    """
    requires_kind(viewer, OrganisationKind.LENDER, OrganisationKind.GUARANTOR)
    permission = await consents.require(
        session,
        receiver_id=viewer.organisation_id,
        subject_ids=[firm_id],
        purpose=Purpose.PRE_LOAN,
        item_codes=[INVOICES],
        now=now,
    )
    invoices = await sources.invoices(session, permission, before=now, known_at=now)
    return monthly_sales(invoices, until=business_date(now))


async def profile_of(
    session: AsyncSession,
    viewer: Viewer,
    firm_id: UUID,
    *,
    purpose: Purpose = Purpose.PRE_LOAN,
    as_of: datetime | None = None,
    now: datetime,
) -> ProfileView:
    """Show a firm's profile to an organisation that the firm's consent names as receiver.

    The room that dispatches demands calls this once it has checked that the firm's demand went to the viewer. One audit
    row and one kept profile for each look: what was shown can be told later. Indicators from records are shown for
    those items alone that the same receiver may read for the same purpose.

    Raises
    ------
    ConsentMissing
        No consent in force names the viewer's organisation for this purpose.
    ValueRefused
        `as_of` lies in the future.
    """
    requires_kind(viewer, OrganisationKind.LENDER, OrganisationKind.GUARANTOR)
    moment = _today(now) if as_of is None else as_of
    if moment > now:
        raise ValueRefused(field="as_of", why="in the future")
    receiver_id = viewer.organisation_id
    covered = await queries.items_covered(session, firm_id, receiver_id=receiver_id, purpose=purpose, now=now)
    permission = await consents.require(
        session,
        receiver_id=receiver_id,
        subject_ids=[firm_id],
        purpose=purpose,
        item_codes=sorted({INVOICES, *covered}),
        now=now,
    )
    return await _show(session, viewer, permission, firm_id, as_of=moment, now=now)


async def _show(
    session: AsyncSession, viewer: Viewer, permission: Permission, firm_id: UUID, *, as_of: datetime, now: datetime
) -> ProfileView:
    drawn = await draw(session, permission, as_of=as_of, known_at=now)
    vector, lineage = drawn.vector_of(firm_id), drawn.lineage_of(firm_id)
    records = await queries.record_readings(session, permission, firm_id, as_of=as_of, known_at=now)
    shown = ProfileView(
        id=new_id(),
        firm_id=firm_id,
        as_of=as_of,
        known_at=now,
        feature_version=model.feature_version(),
        readings=model.readings_of(vector),
        lineage=lineage,
        records=records,
    )
    await _keep(session, permission, shown, {**vector, **_told(records)}, now=now)
    await audit.write_down(
        session,
        viewer,
        action="profiles.shown",
        subject_ids=[firm_id],
        object_kind="profile",
        object_id=str(shown.id),
        now=now,
        purpose=permission.purpose.value,
        consent_ids=permission.consent_ids,
    )
    return shown


def _told(records: Sequence[RecordReading]) -> dict[str, str | None]:
    """Return what is kept of the indicators from records that said something, as exact texts."""
    return {RECORD_PREFIX + one.code: str(one.value) for one in records if one.value is not None}


async def _keep(
    session: AsyncSession,
    permission: Permission,
    shown: ProfileView,
    vector: Mapping[str, str | None],
    *,
    now: datetime,
) -> None:
    async with platform_scope(session):
        sealed = await decisions.seal_for(
            session, {shown.firm_id: canonical_bytes(vector)}, bound_to=_SEAL + shown.id.bytes, now=now
        )
        row = _row(permission, shown, *sealed[shown.firm_id], now=now)
        await session.execute(insert(Profile), [row])


def _row(
    permission: Permission, shown: ProfileView, key_id: UUID, values_sealed: bytes, *, now: datetime
) -> dict[str, object]:
    return {
        "id": shown.id,
        "firm_id": shown.firm_id,
        "receiver_id": permission.receiver_id,
        "purpose": permission.purpose.value,
        "consent_ids": list(permission.consent_ids),
        "as_of": shown.as_of,
        "known_at": shown.known_at,
        "feature_version": shown.feature_version,
        "key_id": key_id,
        "values_sealed": values_sealed,
        "invoice_rows": shown.lineage.rows,
        "first_issued_on": shown.lineage.first_issued_on,
        "last_issued_on": shown.lineage.last_issued_on,
        "facts_fingerprint": shown.lineage.fingerprint,
        "shown_at": now,
    }


async def kept_values(session: AsyncSession, profile: Profile) -> Mapping[str, str | None] | None:
    """Open what a kept profile showed; None once the firm's key is destroyed."""
    plain = await decisions.open_for(
        session, profile.key_id, profile.firm_id, profile.values_sealed, bound_to=_SEAL + profile.id.bytes
    )
    if plain is None:
        return None
    values: Mapping[str, str | None] = json.loads(plain)
    return values


def _today(now: datetime) -> datetime:
    return start_of_day(business_date(now))
