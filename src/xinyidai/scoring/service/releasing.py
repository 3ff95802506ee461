"""Releasing models: one person proposes, another approves, and what runs is known by its digest."""

import re
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import (
    OrganisationKind,
    PrincipalKind,
    Role,
    Viewer,
    requires_kind,
    requires_role,
    requires_two_people,
)
from xinyidai.audit import service as audit
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.database import lock_key
from xinyidai.foundation.errors import NotAllowed, NotFound
from xinyidai.profiles.model import feature_version
from xinyidai.scoring import model, queries
from xinyidai.scoring.models import ModelRelease
from xinyidai.scoring.rules.releases import (
    MAX_BUNDLE_BYTES,
    MAX_CARD_CHARACTERS,
    AlreadyProposed,
    BundleRefused,
    NotProposed,
    ReleaseState,
    ReleaseView,
)
from xinyidai.scoring.rules.scales import Scale

_LOCK = "scoring.release"
_IS_DIGEST = re.compile(r"[0-9a-f]{64}")


async def propose_release(
    session: AsyncSession, viewer: Viewer, bundle_text: str, card: str | None = None, *, now: datetime
) -> ReleaseView:
    """Propose a model: a person of the operator, with the role officer.

    The text is read as a stranger's; `card` is added to nothing and replaces nothing of it: without one, the model's
    own is kept.

    Raises
    ------
    BundleRefused
        Too long, unreadable, or asks for indicators that nobody computes.
    AlreadyProposed
        A model with the same text is there.
    """
    _requires_person_of_operator(viewer, Role.OFFICER)
    # A model of ours is ASCII but for its population's name; half a surrogate pair has no bytes to take a digest of.
    if len(bundle_text.encode(errors="surrogatepass")) > MAX_BUNDLE_BYTES:
        raise BundleRefused(why=f"more than {MAX_BUNDLE_BYTES} bytes")
    if not _is_storable(bundle_text) or not _is_storable(card or ""):
        raise BundleRefused(why="not text")
    if len(card or "") > MAX_CARD_CHARACTERS:
        raise BundleRefused(why=f"a card of more than {MAX_CARD_CHARACTERS} characters")
    checked = model.check(bundle_text)
    await lock_key(session, _LOCK)
    if await queries.bundle_text(session, checked.digest) is not None:
        raise AlreadyProposed(digest=checked.digest[:12])
    row = ModelRelease(
        digest=checked.digest,
        bundle=bundle_text,
        card=checked.card if card is None else card,
        metrics=checked.metrics,
        feature_version=feature_version(),
        proposed_by=viewer.principal_id,
        proposed_at=now,
    )
    session.add(row)
    await session.flush()
    await _write_down(session, viewer, "scoring.release_proposed", row.digest, now=now)
    return queries.release_view(row)


async def approve_release(session: AsyncSession, viewer: Viewer, digest: str, *, now: datetime) -> ReleaseView:
    """Release a proposed model and retire the one before: another person of the operator, with the role approver.

    The text is read again and checked against its digest before it is released.

    Raises
    ------
    SamePersonTwice
        The person who approves is the one who proposed.
    NotFound, NotProposed, BundleRefused
        There is no such model, it was released before, or its text is not what its digest was taken of.
    """
    _requires_person_of_operator(viewer, Role.APPROVER)
    if not _IS_DIGEST.fullmatch(digest):
        raise NotFound
    await lock_key(session, _LOCK)
    statement = select(ModelRelease).where(col(ModelRelease.digest) == digest).with_for_update()
    row = (await session.execute(statement)).scalar_one_or_none()
    if row is None:
        raise NotFound
    if row.state != ReleaseState.PROPOSED:
        raise NotProposed(state=row.state)
    requires_two_people(row.proposed_by, viewer.principal_id)
    model.ready(row.bundle, digest, is_kept=False)
    await session.execute(
        update(ModelRelease)
        .where(col(ModelRelease.state) == ReleaseState.RELEASED.value)
        .values(state=ReleaseState.RETIRED.value)
    )
    row.state, row.approved_by, row.approved_at = ReleaseState.RELEASED, viewer.principal_id, now
    session.add(row)
    await session.flush()
    await _write_down(session, viewer, "scoring.released", digest, now=now)
    return queries.release_view(row)


async def in_force(session: AsyncSession, *, now: datetime) -> tuple[model.Ready, Scale]:
    """Return the model and the scale in use; the model is read and checked once in the life of a process.

    Raises
    ------
    NoModelReleased
        None is released.
    BundleRefused
        Its text was altered: it is not what the digest was taken of.
    """
    digest, scale = await queries.in_force(session, business_date(now))
    return model.known(digest) or await model_of(session, digest, is_kept=True), scale


async def model_of(session: AsyncSession, digest: str, *, is_kept: bool = False) -> model.Ready:
    """Return the model of a digest, read from the database and checked.

    Raises
    ------
    BundleRefused
        There is none, or its text was altered.
    """
    text = await queries.bundle_text(session, digest)
    if text is None:
        raise BundleRefused(why="unknown digest")
    return model.ready(text, digest, is_kept=is_kept)


def _is_storable(text: str) -> bool:
    """Say whether PostgreSQL can keep the text: UTF-8 without NUL."""
    return "\0" not in text and text.encode(errors="ignore").decode() == text


def _requires_person_of_operator(viewer: Viewer, role: Role) -> None:
    requires_kind(viewer, OrganisationKind.OPERATOR)
    requires_role(viewer, role)
    if viewer.principal_kind is not PrincipalKind.USER:
        raise NotAllowed


async def _write_down(session: AsyncSession, viewer: Viewer, action: str, digest: str, *, now: datetime) -> None:
    await audit.write_down(
        session, viewer, action=action, subject_ids=[], object_kind="model_release", object_id=digest, now=now
    )
