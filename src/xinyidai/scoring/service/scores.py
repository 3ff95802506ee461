"""Scoring firms: on request, or up to a thousand at once."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel

from xinyidai.access.rules import OrganisationKind, Viewer, requires_kind
from xinyidai.audit import service as audit
from xinyidai.consents import service as consents
from xinyidai.consents.rules import Permission, Purpose
from xinyidai.decisions import service as decisions
from xinyidai.decisions.rules import NewDecision
from xinyidai.foundation.errors import NotFound, ValueRefused
from xinyidai.foundation.ids import new_id
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.profiles import service as profiles
from xinyidai.profiles.model import feature_version
from xinyidai.profiles.rules.readings import INVOICES, NoInvoices
from xinyidai.scoring import model, queries
from xinyidai.scoring.rules.scales import Scale
from xinyidai.scoring.rules.scores import KIND, PermissionUnfit, ScoredMany, ScoreView
from xinyidai.scoring.service.deciding import Judged, judge, vector_for
from xinyidai.scoring.service.releasing import in_force

_SCORES = SQLModel.metadata.tables["scoring.score"]

PURPOSES = frozenset({Purpose.PRE_LOAN, Purpose.POST_LOAN})
"""Never `EVALUATION`: the public evaluation is another thing than the score, and its consent another consent."""


async def score_own(session: AsyncSession, viewer: Viewer, *, now: datetime) -> ScoreView:
    """Score the viewer's own firm at its wish, under its consent to the platform (purpose `PRE_LOAN`).

    Raises
    ------
    ConsentMissing
        The firm did not allow the platform to use its invoices for this purpose, or took it back. Nothing is written.
    NoInvoices, NoModelReleased
        See each class.
    """
    requires_kind(viewer, OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER)
    permission = await consents.require(
        session,
        receiver_id=PLATFORM_ID,
        subject_ids=[viewer.organisation_id],
        purpose=Purpose.PRE_LOAN,
        item_codes=[INVOICES],
        now=now,
    )
    return await score_firm(session, permission, firm_id=viewer.organisation_id, as_of=now, now=now, viewer=viewer)


async def score_firm(
    session: AsyncSession,
    permission: Permission,
    *,
    firm_id: UUID,
    as_of: datetime,
    now: datetime,
    viewer: Viewer | None = None,
) -> ScoreView:
    """Score one firm from its facts as known now: indicators, model, reasons, decision and audit row together.

    `permission` is the fresh answer of `consents.require` in this transaction. `viewer` is who asked, for the audit
    row; None is the platform itself, which needs platform scope.

    Raises
    ------
    PermissionUnfit, NoInvoices, NoModelReleased, BundleRefused
        See each class; nothing is written.
    """
    if firm_id not in permission.subject_ids:
        raise PermissionUnfit
    alone = replace(permission, subject_ids=frozenset({firm_id}))
    scored = await score_many(session, alone, as_of=as_of, now=now, viewer=viewer)
    if not scored.scores:
        raise NoInvoices
    return scored.scores[0]


async def score_many(
    session: AsyncSession,
    permission: Permission,
    *,
    as_of: datetime,
    now: datetime,
    viewer: Viewer | None = None,
) -> ScoredMany:
    """Score every firm of a permission, at most a thousand, with one audit row; firms without invoices are refused.

    Raises
    ------
    PermissionUnfit, NoModelReleased, BundleRefused
        See each class; nothing is written.
    """
    _requires_fit(permission, as_of=as_of, now=now)
    ready, scale = await in_force(session, now=now)
    drawn = await profiles.draw(session, permission, as_of=as_of, known_at=now)
    firm_ids = [UUID(str(name)) for name in drawn.frame.index]
    judged = [judge(one, scale) for one in (ready.score(drawn.frame) if firm_ids else [])]
    new = [
        _decision(permission, drawn, firm_id, one, ready=ready, scale=scale, as_of=as_of, now=now)
        for firm_id, one in zip(firm_ids, judged, strict=True)
    ]
    decision_ids = await decisions.record_many(session, new, now=now)
    views = [
        _view(firm_id, decision_id, one, ready=ready, scale=scale, as_of=as_of, now=now)
        for firm_id, decision_id, one in zip(firm_ids, decision_ids, judged, strict=True)
    ]
    await _keep(session, permission, views)
    await audit.write_down(
        session,
        viewer,
        action="scoring.scored",
        subject_ids=sorted(permission.subject_ids),
        object_kind="score",
        object_id=str(views[0].id) if views else "",
        now=now,
        purpose=permission.purpose.value,
        consent_ids=permission.consent_ids,
    )
    refused = dict.fromkeys(sorted(permission.subject_ids - set(firm_ids)), NoInvoices.code)
    return ScoredMany(tuple(views), refused)


async def show_latest(session: AsyncSession, viewer: Viewer, *, max_age: timedelta, now: datetime) -> ScoreView:
    """Show a firm its newest score; one audit row.

    Raises
    ------
    NotFound
        It has none that is not older than `max_age`.
    """
    found = await queries.latest_score(session, viewer.organisation_id, max_age=max_age, now=now)
    if found is None:
        raise NotFound
    await _write_down_look(session, viewer, found, now=now)
    return found


async def show_score(session: AsyncSession, viewer: Viewer, score_id: UUID, *, now: datetime) -> ScoreView:
    """Show a firm one of its scores; one audit row. Refuses with `NotFound` a score of somebody else."""
    found = await queries.score(session, viewer, score_id)
    await _write_down_look(session, viewer, found, now=now)
    return found


async def _write_down_look(session: AsyncSession, viewer: Viewer, found: ScoreView, *, now: datetime) -> None:
    await audit.write_down(
        session,
        viewer,
        action="scoring.score_shown",
        subject_ids=[found.firm_id],
        object_kind="score",
        object_id=str(found.id),
        now=now,
    )


def _requires_fit(permission: Permission, *, as_of: datetime, now: datetime) -> None:
    """Refuse a permission kept from before: a consent taken back since would not be seen."""
    if permission.at != now or permission.purpose not in PURPOSES or INVOICES not in permission.item_codes:
        raise PermissionUnfit
    if as_of > now:
        raise ValueRefused(field="as_of", why="in the future")


def _decision(
    permission: Permission,
    drawn: profiles.Drawn,
    firm_id: UUID,
    judged: Judged,
    *,
    ready: model.Ready,
    scale: Scale,
    as_of: datetime,
    now: datetime,
) -> NewDecision:
    return NewDecision(
        kind=KIND,
        subject_id=firm_id,
        vector=vector_for(drawn, firm_id, permission, as_of=as_of, known_at=now),
        outcome=judged.outcome,
        reasons=judged.reasons,
        versions={"release": ready.digest, "features": feature_version(), "scale": scale.version},
        consent_ids=permission.consent_ids,
    )


def _view(
    firm_id: UUID,
    decision_id: UUID,
    judged: Judged,
    *,
    ready: model.Ready,
    scale: Scale,
    as_of: datetime,
    now: datetime,
) -> ScoreView:
    return ScoreView(
        id=new_id(),
        decision_id=decision_id,
        firm_id=firm_id,
        pd_ppm=judged.pd_ppm,
        score_points=judged.score_points,
        band=judged.band,
        as_of=as_of,
        known_at=now,
        scored_at=now,
        release_digest=ready.digest,
        scale_version=scale.version,
        reasons=judged.reasons,
    )


async def _keep(session: AsyncSession, permission: Permission, views: list[ScoreView]) -> None:
    if not views:
        return
    rows = [
        {
            "id": view.id,
            "firm_id": view.firm_id,
            "decision_id": view.decision_id,
            "receiver_id": permission.receiver_id,
            "purpose": permission.purpose.value,
            "consent_ids": list(permission.consent_ids),
            "pd_ppm": view.pd_ppm,
            "score_points": view.score_points,
            "band": view.band,
            "as_of": view.as_of,
            "known_at": view.known_at,
            "scored_at": view.scored_at,
            "release_digest": view.release_digest,
            "scale_version": view.scale_version,
        }
        for view in views
    ]
    # Without wider scope: the table's policy itself says that a score is for its firm or for the consent's receiver.
    await session.execute(insert(_SCORES), rows)
