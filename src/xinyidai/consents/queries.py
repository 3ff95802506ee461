"""Reading consents, and telling the database which permission a transaction reads under."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ARRAY, Row, Select, any_, bindparam, func, literal, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel, col

from xinyidai.access.rules import OrganisationKind, Viewer
from xinyidai.catalogue import queries as catalogue
from xinyidai.catalogue.rules import Category, is_usable
from xinyidai.consents.models import Consent
from xinyidai.consents.rules import (
    ConsentId,
    ConsentState,
    ConsentView,
    Grant,
    Permission,
    Purpose,
    PurposePolicy,
    SubjectKind,
    WithdrawnItem,
)
from xinyidai.consents.rules.terms import ReceiverTerms, Term
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.database import driver, read_once, try_lock_key, type_of_id
from xinyidai.foundation.errors import NotFound
from xinyidai.foundation.paging import Page, after_id, limit_of, page_of
from xinyidai.foundation.reference import read_reference
from xinyidai.parties import queries as parties
from xinyidai.parties.rules import PLATFORM_ID, PartyId, PartyView

MAX_TOLD = 200
_TERMS = text(
    "SELECT i.code, t.* FROM unnest(CAST(:codes AS text[])) AS i (code) CROSS JOIN LATERAL consents.terms(i.code) AS t"
    " WHERE t.subject_id = :subject ORDER BY t.granted_at, t.consent_id"
)
_PRESENTED = "presented"
_PRESENT = (
    "SELECT set_config('app.subjects', $1, true), set_config('app.purpose', $2, true),"
    " set_config('app.receiver_id', $3, true)"
)

# Asked at every look into a firm's data: through the class, and built anew each time, it costs twice as much.
_CONSENTS = SQLModel.metadata.tables["consents.consent"]
_WITHDRAWALS = SQLModel.metadata.tables["consents.item_withdrawal"]
_WITHDRAWN = (
    select(func.array_agg(_WITHDRAWALS.c.item_code))
    .where(_WITHDRAWALS.c.consent_id == _CONSENTS.c.id)
    .scalar_subquery()
    .label("withdrawn")
)
_GRANTS = select(_CONSENTS, _WITHDRAWN).where(
    _CONSENTS.c.subject_id == any_(bindparam("subject_ids", type_=ARRAY(type_of_id))),
    _CONSENTS.c.purpose == bindparam("purpose"),
    _CONSENTS.c.state == ConsentState.ACTIVE.value,
)
_GRANTS_TO = _GRANTS.where(bindparam("receiver_id", type_=type_of_id) == any_(_CONSENTS.c.receiver_ids))
POLICY_ROWS = SQLModel.metadata.tables["consents.purpose_policy"]
_POLICIES = select(POLICY_ROWS).order_by(POLICY_ROWS.c.purpose)


async def policies(session: AsyncSession, on: date) -> dict[Purpose, PurposePolicy]:
    """Return the policy of each purpose on a Shanghai day; it is public, and a process keeps it."""

    async def read() -> tuple[PurposePolicy, ...]:
        return tuple(_policy_of(row) for row in await session.execute(_POLICIES))

    versions = await read_reference(session, "consents.policies", read)
    return {
        one.purpose: one for one in versions if one.valid_from <= on and (one.valid_to is None or on < one.valid_to)
    }


async def receiver_kinds(session: AsyncSession, receiver_ids: Sequence[UUID]) -> dict[UUID, OrganisationKind]:
    """Return what kind of party each receiver is, for those that are registered; a transaction asks once."""
    known: dict[UUID, OrganisationKind] = {PLATFORM_ID: OrganisationKind.OPERATOR}
    others = sorted(set(receiver_ids) - known.keys())
    if others:

        async def read() -> dict[PartyId, PartyView]:
            return await parties.parties_by_id(session, others)

        found = await read_once(session, f"consents.receivers:{others}", read)
        known |= {view.id: view.kind for view in found.values()}
    return {one: known[one] for one in receiver_ids if one in known}


async def present(session: AsyncSession, permission: Permission) -> None:
    """Tell the database which subjects, purpose and receiver the rest of the transaction reads for.

    This widens nothing: `consents.permitted_subjects` looks the consents up again at every statement. What was told
    last in this session is not told again.
    """
    told = (permission.subject_ids, permission.purpose, permission.receiver_id)
    if session.info.get(_PRESENTED) == told:
        return
    subjects = ",".join(map(str, permission.subject_ids))
    await (await driver(session)).execute(_PRESENT, subjects, permission.purpose.value, str(permission.receiver_id))
    session.info[_PRESENTED] = told


async def consent(session: AsyncSession, viewer: Viewer, consent_id: UUID, *, now: datetime) -> ConsentView:
    """Return a consent to its subject or a receiver it names; to anybody else it is not there (`NotFound`)."""
    row = (
        await session.execute(_visible_to(viewer.organisation_id).where(col(Consent.id) == consent_id))
    ).scalar_one_or_none()
    if row is None:
        raise NotFound
    return view_of(row, (await withdrawals(session, [row.id])).get(row.id, ()), now=now)


async def consent_by_id(session: AsyncSession, consent_id: UUID, *, now: datetime) -> ConsentView | None:
    """Return a consent that the session's scope may see, for rooms above that were told of it."""
    row = await session.get(Consent, consent_id, populate_existing=True)
    return None if row is None else view_of(row, (await withdrawals(session, [row.id])).get(row.id, ()), now=now)


async def consents_of(
    session: AsyncSession, viewer: Viewer, *, now: datetime, cursor: str | None = None, limit: int = 50
) -> Page[ConsentView]:
    """Return the consents that the viewer gave or that name it as receiver, in the order they were given."""
    size = limit_of(limit)
    statement = (
        _visible_to(viewer.organisation_id)
        .where(col(Consent.id) > after_id(cursor))
        .order_by(col(Consent.id))
        .limit(size + 1)
    )
    rows = (await session.execute(statement)).scalars().all()
    withdrawn = await withdrawals(session, [row.id for row in rows])
    views = [view_of(row, withdrawn.get(row.id, ()), now=now) for row in rows]
    return page_of(views, limit=size, id_of=lambda view: view.id)


async def withdrawals(session: AsyncSession, consent_ids: Sequence[UUID]) -> dict[UUID, tuple[WithdrawnItem, ...]]:
    """Return what was taken back of consents item by item, in the order of items; a consent untouched is left out."""
    found = await session.execute(
        select(_WITHDRAWALS)
        .where(_WITHDRAWALS.c.consent_id.in_(consent_ids))
        .order_by(_WITHDRAWALS.c.consent_id, _WITHDRAWALS.c.item_code)
    )
    taken: dict[UUID, tuple[WithdrawnItem, ...]] = {}
    for row in found:
        taken[row.consent_id] = (*taken.get(row.consent_id, ()), WithdrawnItem(row.item_code, row.withdrawn_at))
    return taken


async def grants_for(
    session: AsyncSession, *, subject_ids: Sequence[UUID], receiver_id: UUID, purpose: Purpose
) -> tuple[Grant, ...]:
    """Return what the subjects granted this receiver for this purpose and did not take back, for the rule to judge."""
    asked = {"subject_ids": list(subject_ids), "purpose": purpose.value, "receiver_id": receiver_id}
    return tuple(_grant_of(row) for row in await session.execute(_GRANTS_TO, asked))


async def receivers_allowed(
    session: AsyncSession,
    subject_id: UUID,
    *,
    purpose: Purpose,
    item_codes: Sequence[str],
    receiver_ids: Sequence[UUID],
    now: datetime,
) -> set[UUID]:
    """Return those of the receivers that the subject allows every item, for the purpose, at `now`."""
    found = await session.execute(_GRANTS, {"subject_ids": [subject_id], "purpose": purpose.value})
    grants = [_grant_of(row) for row in found]
    kinds = await receiver_kinds(session, receiver_ids)
    readable = {
        kind: await _readable(session, item_codes, purpose=purpose, by=kind, now=now) for kind in set(kinds.values())
    }
    return {
        receiver_id
        for receiver_id, kind in kinds.items()
        if set(item_codes) <= readable[kind] & _items_allowed(grants, purpose=purpose, receiver_id=receiver_id, now=now)
    }


async def _readable(
    session: AsyncSession, item_codes: Sequence[str], *, purpose: Purpose, by: OrganisationKind | None, now: datetime
) -> frozenset[str]:
    """Return those of the items that catalogue and purpose policy let a receiver of this kind be allowed to read."""
    today = business_date(now)
    policy = (await policies(session, today)).get(purpose)
    if policy is None:
        return frozenset()
    listed = await catalogue.listed(session, item_codes, today)
    return policy.readable(filter(is_usable, listed.values()), purpose=purpose, by=by, at=now)


def _items_allowed(grants: Sequence[Grant], *, purpose: Purpose, receiver_id: UUID, now: datetime) -> set[str]:
    return {
        code
        for grant in grants
        if grant.allows(purpose=purpose, receiver_id=receiver_id, at=now)
        for code in grant.item_codes
    }


async def subjects_allowed(
    session: AsyncSession,
    subject_ids: Sequence[UUID],
    *,
    purpose: Purpose,
    item_codes: Sequence[str],
    receiver_id: UUID,
    now: datetime,
) -> set[UUID]:
    """Return those of the subjects, of any number, that allow the receiver every item, for the purpose, at `now`."""
    by_item = await subjects_by_item(
        session, subject_ids, purpose=purpose, item_codes=item_codes, receiver_id=receiver_id, now=now
    )
    return set.intersection(*by_item.values()) if by_item else set()


async def subjects_by_item(
    session: AsyncSession,
    subject_ids: Sequence[UUID],
    *,
    purpose: Purpose,
    item_codes: Sequence[str],
    receiver_id: UUID,
    now: datetime,
) -> dict[str, set[UUID]]:
    """Return of each item those of the subjects, of any number, that allow the receiver it, for the purpose, at `now`.

    An item that nobody allows is there, with nobody.
    """
    kind = (await receiver_kinds(session, [receiver_id])).get(receiver_id)
    readable = await _readable(session, item_codes, purpose=purpose, by=kind, now=now)
    statement = text(
        "SELECT i.code, array_agg(DISTINCT c.subject_id) AS subject_ids"
        " FROM consents.consent c CROSS JOIN LATERAL unnest(c.item_codes) AS i(code)"
        " WHERE c.subject_id = ANY(:subjects) AND c.purpose = :purpose AND c.state = 'active'"
        "   AND :receiver = ANY(c.receiver_ids) AND c.granted_at <= :now AND :now < c.expires_at"
        "   AND i.code = ANY(:items)"
        "   AND NOT EXISTS (SELECT FROM consents.item_withdrawal w"
        "                   WHERE w.consent_id = c.id AND w.item_code = i.code)"
        " GROUP BY i.code"
    )
    found = await session.execute(
        statement,
        {
            "subjects": list(subject_ids),
            "purpose": purpose.value,
            "receiver": receiver_id,
            "now": now,
            "items": sorted(readable.intersection(item_codes)),
        },
    )
    return {code: set() for code in item_codes} | {row.code: set(row.subject_ids) for row in found}


async def terms_of(session: AsyncSession, subject_id: UUID, item_codes: Sequence[str]) -> dict[str, tuple[Term, ...]]:
    """Return every consent that a subject ever gave for each of the items, as terms, as far as may be seen."""
    found: dict[str, list[Term]] = {code: [] for code in item_codes}
    asked = {"subject": subject_id, "codes": list(found)}
    for row in await session.execute(_TERMS, asked):
        term = Term(row.consent_id, row.names_platform, row.granted_at, row.ended_at, row.life_days)
        found[row.code].append(term)
    return {code: tuple(terms) for code, terms in found.items()}


async def terms_for(
    session: AsyncSession, subject_id: UUID, item_codes: Sequence[str], *, receiver_id: UUID
) -> dict[str, ReceiverTerms]:
    """Return what a subject ever allowed a receiver before lending, as terms by item, as far as may be seen."""
    named = (
        select(Consent)
        .where(
            col(Consent.subject_id) == subject_id,
            col(Consent.purpose) == Purpose.PRE_LOAN.value,
            literal(receiver_id) == col(Consent.receiver_ids).any_(),
        )
        .order_by(col(Consent.granted_at).desc())
        .limit(MAX_TOLD)
    )
    rows = {row.id: row for row in (await session.execute(named)).scalars()}
    found: dict[str, ReceiverTerms] = {}
    for code, terms in (await terms_of(session, subject_id, item_codes)).items():
        theirs = tuple(term for term in terms if term.consent_id in rows)
        # A term that ended before its consent's own day was taken back, as a whole or for this item.
        ends = [term.ended_at for term in theirs if term.ended_at < rows[term.consent_id].expires_at]
        found[code] = ReceiverTerms(theirs, max(ends, default=None))
    return found


async def hold_still(session: AsyncSession, subject_id: UUID) -> bool:
    """Keep a subject from giving a consent until the transaction ends; say whether it could be had at once."""
    return await try_lock_key(session, granting_key(subject_id))


def granting_key(subject_id: UUID) -> str:
    """Return the name of the lock that giving a consent takes."""
    return f"consents:{subject_id}"


async def consents_covering(
    session: AsyncSession, subject_id: UUID, item_code: str, *, now: datetime
) -> list[ConsentView]:
    """Return every consent that a subject ever gave for an item, as far as the transaction may see it, newest first.

    At most MAX_TOLD of them: for telling on which of them something was held, not for deciding whether it may be.
    """
    statement = (
        select(Consent)
        .where(col(Consent.subject_id) == subject_id, literal(item_code) == col(Consent.item_codes).any_())
        .order_by(col(Consent.granted_at).desc(), col(Consent.id).desc())
        .limit(MAX_TOLD)
    )
    rows = (await session.execute(statement)).scalars().all()
    withdrawn = await withdrawals(session, [row.id for row in rows])
    return [view_of(row, withdrawn.get(row.id, ()), now=now) for row in rows]


def view_of(row: Consent, withdrawn: tuple[WithdrawnItem, ...], *, now: datetime) -> ConsentView:
    """Return a consent's row as a value, less what was taken back of it, expired where its time has passed."""
    state = ConsentState(row.state)
    if state is ConsentState.ACTIVE and row.expires_at <= now:
        state = ConsentState.EXPIRED
    return ConsentView(
        id=ConsentId(row.id),
        subject_id=row.subject_id,
        subject_kind=SubjectKind(row.subject_kind),
        purpose=Purpose(row.purpose),
        item_codes=tuple(sorted(set(row.item_codes) - {one.item_code for one in withdrawn})),
        withdrawn=withdrawn,
        receiver_ids=tuple(row.receiver_ids),
        granted_by=row.granted_by,
        granted_at=row.granted_at,
        expires_at=row.expires_at,
        data_life_days=row.data_life_days,
        text_version=row.text_version,
        text_digest=row.text_digest,
        state=state,
        revoked_at=row.revoked_at,
    )


def _visible_to(organisation_id: UUID) -> Select[Consent]:
    return select(Consent).where(
        (col(Consent.subject_id) == organisation_id) | (literal(organisation_id) == col(Consent.receiver_ids).any_())
    )


def _policy_of(row: Row[tuple[object, ...]]) -> PurposePolicy:
    return PurposePolicy(
        purpose=Purpose(row.purpose),
        version=row.version,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        most_months=row.most_months,
        most_receivers=row.most_receivers,
        most_data_life_days=row.most_data_life_days,
        categories=frozenset(map(Category, row.categories)),
        item_codes=frozenset(row.item_codes),
        receiver_kinds=frozenset(map(OrganisationKind, row.receiver_kinds)),
        legal_basis=row.legal_basis,
        is_verified=row.is_verified,
    )


def _grant_of(row: Row[tuple[object, ...]]) -> Grant:
    return Grant(
        consent_id=row.id,
        subject_id=row.subject_id,
        purpose=Purpose(row.purpose),
        item_codes=frozenset(row.item_codes) - frozenset(row.withdrawn or ()),
        receiver_ids=frozenset(row.receiver_ids),
        granted_at=row.granted_at,
        expires_at=row.expires_at,
        is_revoked=row.state == ConsentState.REVOKED.value,
    )
