"""Granting, revoking, and the one question every reader of a subject's data must ask."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import (
    OrganisationKind,
    PrincipalKind,
    Role,
    Viewer,
    requires_kind,
    requires_role,
    requires_scope,
)
from xinyidai.audit import service as audit
from xinyidai.catalogue import queries as catalogue
from xinyidai.catalogue.rules import requires_usable
from xinyidai.consents import queries
from xinyidai.consents.events import ConsentGranted, ConsentRevoked, ItemWithdrawn
from xinyidai.consents.models import Consent, ItemWithdrawal
from xinyidai.consents.rules import (
    MAX_SUBJECTS,
    AuthorityMissing,
    AuthorityNeedsChoice,
    ConsentState,
    ConsentTextOutdated,
    ConsentView,
    ItemNotInConsent,
    Permission,
    Purpose,
    PurposeNotOffered,
    PurposePolicy,
    ReceiverUnfit,
    SubjectKind,
    TooManySubjects,
    Wish,
    effective_permission,
    latest_expiry,
    requires_narrow,
)
from xinyidai.consents.texts import ConsentText, text_on
from xinyidai.foundation import outbox
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.database import lock_key
from xinyidai.foundation.errors import NotFound
from xinyidai.parties import queries as parties
from xinyidai.parties.rules import PartyId

SCOPE = "consents:write"


async def grant(
    session: AsyncSession,
    viewer: Viewer,
    *,
    purpose: Purpose,
    item_codes: Sequence[str],
    receiver_ids: Sequence[UUID],
    expires_at: datetime,
    data_life_days: int | None = None,
    text_digest: bytes | None = None,
    now: datetime,
) -> ConsentView:
    """Write down that the viewer's firm allows the receivers to read the items for one purpose.

    The text in use today and its digest are kept as evidence. A consent already given stays beside the new one.

    Parameters
    ----------
    data_life_days : int, optional
        How long what is read may be kept; else as long as the policy lets it.
    text_digest : bytes, optional
        Of the text that the subject was shown; a door that shows it passes it, and an outdated one is refused.

    Raises
    ------
    ConsentTextOutdated
        What was shown is not the text in use.
    ReceiverUnfit
        A receiver is not registered, or is a firm.
    ConsentTooWide, ConsentEmpty, PurposeNotOffered
        It is wider than the purpose policy of the day lets it be, names nothing, or its purpose has no policy.
    ItemNotListed, ItemForbidden
        The catalogue does not offer the item today.
    AuthorityNeedsChoice
        The purpose is a lender's credit query, which `authorise` is for.
    """
    _requires_subject(viewer)
    if purpose is Purpose.CREDIT_QUERY:
        raise AuthorityNeedsChoice
    shown = _text_shown(purpose, text_digest, now=now)
    codes = sorted(set(item_codes))
    receivers = sorted(set(receiver_ids))
    items = (await catalogue.items_by_code(session, codes, business_date(now))).values()
    for item in items:
        requires_usable(item)
    kinds = await _requires_fit_receivers(session, receivers)
    policy = await policy_of(session, purpose, now=now)
    requires_narrow(Wish(tuple(items), kinds, expires_at, data_life_days), policy, now=now)
    return await _write(
        session,
        viewer,
        purpose,
        shown,
        items=codes,
        receivers=receivers,
        expires_at=expires_at,
        data_life_days=data_life_days or policy.most_data_life_days,
        now=now,
    )


async def authorise(
    session: AsyncSession, viewer: Viewer, *, lender_id: UUID, expires_at: datetime, text_digest: bytes, now: datetime
) -> ConsentView:
    """Write down that the viewer's firm lets one lender make its own credit query before lending (授权查询).

    It opens nothing that the platform keeps. Called in the transaction that chooses the lender.

    Parameters
    ----------
    expires_at : datetime
        Cut to the policy's longest term.
    text_digest : bytes
        Of the text that the subject was shown.

    Raises
    ------
    NotAllowed, ConsentTextOutdated, ReceiverUnfit
        No owner of a firm; what was shown is not the text in use; the receiver is no lender.
    """
    _requires_subject(viewer)
    shown = _text_shown(Purpose.CREDIT_QUERY, text_digest, now=now)
    lender = (await parties.parties_by_id(session, [lender_id])).get(PartyId(lender_id))
    if lender is None or lender.kind is not OrganisationKind.LENDER:
        raise ReceiverUnfit(receiver_id=str(lender_id))
    policy = await policy_of(session, Purpose.CREDIT_QUERY, now=now)
    until = min(expires_at, latest_expiry(now, policy.most_months))
    return await _write(
        session,
        viewer,
        Purpose.CREDIT_QUERY,
        shown,
        items=[],
        receivers=[lender_id],
        expires_at=until,
        data_life_days=None,
        now=now,
    )


async def require_authority(
    session: AsyncSession, authority_id: UUID, *, lender_id: UUID, now: datetime
) -> ConsentView:
    """Return the written authority when it is this lender's and in force, held so until the transaction ends.

    Shares a lock on it: a revocation comes before the act that needs it, which is then refused, or after its commit.

    Raises
    ------
    AuthorityMissing
    """
    statement = (
        select(Consent)
        .where(Consent.id == authority_id)  # type: ignore[arg-type]
        .with_for_update(read=True)
        .execution_options(populate_existing=True)
    )
    row = (await session.execute(statement)).scalar_one_or_none()
    if row is None or row.purpose != Purpose.CREDIT_QUERY or lender_id not in row.receiver_ids:
        raise AuthorityMissing
    found = queries.view_of(row, (), now=now)
    if found.state is not ConsentState.ACTIVE:
        raise AuthorityMissing
    return found


async def revoke(session: AsyncSession, viewer: Viewer, consent_id: UUID, *, now: datetime) -> ConsentView:
    """Take a consent back, at once and for good; a second revocation changes nothing.

    Locks the consent. No reader holds a lock on it, so revoking never waits for a read: a read that is under way is
    looked at again by the database at its next statement. Only an offer under a written authority shares a lock.
    """
    _requires_subject(viewer)
    row = await _own_locked(session, viewer, consent_id)
    withdrawn = (await queries.withdrawals(session, [row.id])).get(row.id, ())
    if row.state != ConsentState.REVOKED:
        await _revoke(session, viewer, row, now=now)
    return queries.view_of(row, withdrawn, now=now)


async def withdraw_item(
    session: AsyncSession, viewer: Viewer, consent_id: UUID, item_code: str, *, now: datetime
) -> ConsentView:
    """Take one item of a consent back, at once and for good, and keep the rest; the last one revokes the consent.

    Locks the consent as `revoke` does, so that of two who take the last two items at once, one revokes. What was taken
    back before, or of a consent that is revoked, changes nothing.

    Raises
    ------
    NotFound
    ItemNotInConsent
        The consent never named the item.
    """
    _requires_subject(viewer)
    row = await _own_locked(session, viewer, consent_id)
    if item_code not in row.item_codes:
        raise ItemNotInConsent(item=item_code)
    before = (await queries.withdrawals(session, [row.id])).get(row.id, ())
    left = set(row.item_codes) - {one.item_code for one in before}
    if row.state == ConsentState.REVOKED or item_code not in left:
        return queries.view_of(row, before, now=now)
    if left == {item_code}:
        await _revoke(session, viewer, row, now=now)
        return queries.view_of(row, before, now=now)
    session.add(
        ItemWithdrawal(consent_id=row.id, item_code=item_code, withdrawn_at=now, withdrawn_by=viewer.principal_id)
    )
    await session.flush()
    taken = ItemWithdrawn(row.id, row.subject_id, Purpose(row.purpose), item_code)
    await outbox.announce(session, taken, occurred_at=now)
    await _write_down(session, viewer, "consents.item_withdrawn", row, item_code=item_code, now=now)
    after = (await queries.withdrawals(session, [row.id]))[row.id]
    return queries.view_of(row, after, now=now)


async def _own_locked(session: AsyncSession, viewer: Viewer, consent_id: UUID) -> Consent:
    statement = (
        select(Consent)
        .where(Consent.id == consent_id, Consent.subject_id == viewer.organisation_id)  # type: ignore[arg-type]
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    row = (await session.execute(statement)).scalar_one_or_none()
    if row is None:
        raise NotFound
    return row


async def _revoke(session: AsyncSession, viewer: Viewer, row: Consent, *, now: datetime) -> None:
    row.state, row.revoked_at, row.revoked_by = ConsentState.REVOKED, now, viewer.principal_id
    session.add(row)
    await session.flush()
    await outbox.announce(session, ConsentRevoked(row.id, row.subject_id, Purpose(row.purpose)), occurred_at=now)
    await _write_down(session, viewer, "consents.revoked", row, now=now)


async def require(
    session: AsyncSession,
    *,
    receiver_id: UUID,
    subject_ids: Sequence[UUID],
    purpose: Purpose,
    item_codes: Sequence[str],
    now: datetime,
) -> Permission:
    """Return the permission to read these items of all these subjects, and present it to the database.

    The caller writes the audit row that says who used it. Nothing is locked: what is read under the permission is
    checked again by the facts' row-level security at every statement.

    Raises
    ------
    ConsentMissing
        Some subject has no consent that covers it; nothing was read, and the answer does not say whose it is.
    """
    permission = await permission_for(
        session, receiver_id=receiver_id, subject_ids=subject_ids, purpose=purpose, item_codes=item_codes, now=now
    )
    await queries.present(session, permission)
    return permission


async def permission_for(
    session: AsyncSession,
    *,
    receiver_id: UUID,
    subject_ids: Sequence[UUID],
    purpose: Purpose,
    item_codes: Sequence[str],
    now: datetime,
) -> Permission:
    """Return the permission as `require` does and present it to nobody: for an act that only stands on the consent."""
    if len(subject_ids) > MAX_SUBJECTS:
        raise TooManySubjects(most=MAX_SUBJECTS)
    today = business_date(now)
    listed = await catalogue.listed(session, item_codes, today)
    return effective_permission(
        subject_ids=subject_ids,
        receiver_id=receiver_id,
        receiver_kind=(await queries.receiver_kinds(session, [receiver_id])).get(receiver_id),
        purpose=purpose,
        item_codes=item_codes,
        grants=await queries.grants_for(session, subject_ids=subject_ids, receiver_id=receiver_id, purpose=purpose),
        policy=(await queries.policies(session, today)).get(purpose),
        listed=listed,
        at=now,
    )


async def require_own(session: AsyncSession, viewer: Viewer, *, item_codes: Sequence[str], now: datetime) -> Permission:
    """Return the permission of a firm to read its own data: a right that needs no consent (知情权)."""
    requires_kind(viewer, OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER)
    own = viewer.organisation_id
    permission = Permission(frozenset({own}), (), Purpose.EVALUATION, own, tuple(item_codes), now)
    await queries.present(session, permission)
    return permission


async def policy_of(session: AsyncSession, purpose: Purpose, *, now: datetime) -> PurposePolicy:
    """Return the policy of a purpose that is in force; refuse with `PurposeNotOffered` where none is."""
    policy = (await queries.policies(session, business_date(now))).get(purpose)
    if policy is None:
        raise PurposeNotOffered(purpose=purpose.value)
    return policy


def _text_shown(purpose: Purpose, text_digest: bytes | None, *, now: datetime) -> ConsentText:
    shown = text_on(business_date(now))
    if text_digest is not None and text_digest != shown.digest(purpose):
        raise ConsentTextOutdated(version=shown.version)
    return shown


async def _write(
    session: AsyncSession,
    viewer: Viewer,
    purpose: Purpose,
    shown: ConsentText,
    *,
    items: list[str],
    receivers: list[UUID],
    expires_at: datetime,
    data_life_days: int | None,
    now: datetime,
) -> ConsentView:
    # A purge that runs now has judged without this consent: what is given counts for what is there afterwards.
    await lock_key(session, queries.granting_key(viewer.organisation_id))
    row = Consent(
        subject_id=viewer.organisation_id,
        subject_kind=SubjectKind(viewer.organisation_kind.value),
        purpose=purpose,
        item_codes=items,
        receiver_ids=receivers,
        granted_by=viewer.principal_id,
        granted_at=now,
        expires_at=expires_at,
        data_life_days=data_life_days,
        text_version=shown.version,
        text_digest=shown.digest(purpose),
    )
    session.add(row)
    await session.flush()
    await outbox.announce(session, ConsentGranted(row.id, row.subject_id, purpose), occurred_at=now)
    await _write_down(session, viewer, "consents.granted", row, now=now)
    return queries.view_of(row, (), now=now)


async def _requires_fit_receivers(session: AsyncSession, receiver_ids: Sequence[UUID]) -> dict[UUID, OrganisationKind]:
    kinds = await queries.receiver_kinds(session, receiver_ids)
    for receiver_id in receiver_ids:
        if kinds.get(receiver_id) in (None, OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER):
            raise ReceiverUnfit(receiver_id=str(receiver_id))
    return kinds


def _requires_subject(viewer: Viewer) -> None:
    requires_kind(viewer, OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER)
    if viewer.principal_kind is PrincipalKind.CLIENT:
        requires_scope(viewer, SCOPE)
    else:
        requires_role(viewer, Role.OWNER)


async def _write_down(
    session: AsyncSession, viewer: Viewer, action: str, row: Consent, *, item_code: str | None = None, now: datetime
) -> None:
    await audit.write_down(
        session,
        viewer,
        action=action,
        subject_ids=[row.subject_id],
        object_kind="consent" if item_code is None else "consent_item",
        object_id=str(row.id) if item_code is None else f"{row.id}/{item_code}",
        now=now,
        purpose=row.purpose,
        consent_ids=[row.id],
    )
