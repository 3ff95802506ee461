"""Taking in what a provider computed in its own domain: nothing is written before every check has passed."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel, col

from xinyidai.access.rules import PrincipalKind, Role, Viewer, requires_kind, requires_role, requires_scope
from xinyidai.access.service import platform_scope
from xinyidai.audit import service as audit
from xinyidai.catalogue import queries as catalogue
from xinyidai.catalogue.rules import Topology, requires_usable
from xinyidai.consents import service as consents
from xinyidai.consents.rules import ConsentMissing, Permission, Purpose
from xinyidai.foundation.canonical import Json, canonical_bytes
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.database import lock_key
from xinyidai.foundation.ids import new_id
from xinyidai.foundation.settings import settings
from xinyidai.foundation.signatures import is_signed, signed_bytes
from xinyidai.parties import queries as parties
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.sources.models.derived import DerivedValue
from xinyidai.sources.models.derived import Statement as StatementRow
from xinyidai.sources.queries import keys
from xinyidai.sources.rules.derived import (
    HEADLINE,
    ItemNotInDomain,
    Statement,
    StatementConsentUnfit,
    StatementFirmUnknown,
    StatementOfAnother,
    StatementOutdated,
    StatementReplayed,
    StatementReport,
    ValueOfAnotherProvider,
    read_statement,
    requires_timely,
)
from xinyidai.sources.rules.keys import SignatureWrong
from xinyidai.sources.service.keys import PROVIDERS

SCOPE = "sources:write"
_STATEMENTS = SQLModel.metadata.tables["sources.statement"]
_VALUES = SQLModel.metadata.tables["sources.derived_value"]


async def receive_statement(
    session: AsyncSession,
    viewer: Viewer,
    told: Mapping[str, Json],
    *,
    key_id: UUID,
    signature: bytes,
    now: datetime,
) -> StatementReport:
    """Take in a signed statement of derived values about one firm and one item; one audit row.

    The signature is looked at first, so that nobody learns anything by words that the provider never said. Locks the
    firm's derived values. `now` is business time here, unlike the signatures of HTTP calls: whether a key was in force
    when a statement came must be tellable years later.

    Raises
    ------
    NotAllowed, ProviderKeyUnknown, ProviderKeyNotInForce, SignatureWrong
        Who sends may not deliver; the key is not the sender's, or not in force; the words are not those signed.
    StatementOfAnother, StatementTimeUnfit, StatementReplayed, StatementOutdated, ValueOfAnotherProvider
        See each class.
    ItemNotListed, ItemForbidden, ItemNotInDomain, IndicatorNotDerivable, ValueRefused
        It speaks of what is not taken as derived values, or not in the form that is taken.
    StatementFirmUnknown, StatementConsentUnfit
        No such firm; the consent that it names does not let the platform hold this.
    """
    _requires_provider(viewer)
    async with platform_scope(session):
        key = await keys.key_of(session, viewer.organisation_id, key_id)
        key.requires_in_force(now)
        if not is_signed(key.public_key, signed_bytes(HEADLINE, told), signature):
            raise SignatureWrong
        statement = read_statement(told)
        if statement.provider_id != viewer.organisation_id:
            raise StatementOfAnother
        key.requires_in_force(statement.made_at)
        requires_timely(statement, now=now, today=business_date(now))
        await _requires_in_domain(session, statement.item_code, now=now)
        permission = await _permission(session, statement, now=now)
        (firm_id,) = permission.subject_ids
        await lock_key(session, f"sources:derived:{firm_id}")
        await _requires_new(session, statement, firm_id)
        report = StatementReport(
            new_id(), statement.statement_id, firm_id, statement.item_code, len(statement.values), now
        )
        await _write(session, viewer, statement, report, told, key_id=key_id, signature=signature)
    await audit.write_down(
        session,
        viewer,
        action="sources.derived_values_delivered",
        subject_ids=[firm_id],
        object_kind="statement",
        object_id=str(report.id),
        now=now,
        purpose=Purpose.PRE_LOAN,
        consent_ids=[statement.consent_id],
    )
    return report


def _requires_provider(viewer: Viewer) -> None:
    requires_kind(viewer, *PROVIDERS)
    if viewer.principal_kind is PrincipalKind.CLIENT:
        requires_scope(viewer, SCOPE)
    else:
        requires_role(viewer, Role.OFFICER, Role.ADMIN)


async def _requires_in_domain(session: AsyncSession, item_code: str, *, now: datetime) -> None:
    item = await catalogue.item(session, item_code, business_date(now))
    requires_usable(item)
    topology = await catalogue.topology_in(session, item, settings().province_code)
    if topology is not Topology.IN_DOMAIN:
        raise ItemNotInDomain(item=item_code, topology=topology.value)


async def _permission(session: AsyncSession, statement: Statement, *, now: datetime) -> Permission:
    """Return the permission to hold the values, when the consent that the statement names is among its own."""
    firm_id = (await parties.firms_by_credit_code(session, [statement.credit_code])).get(statement.credit_code)
    if firm_id is None:
        raise StatementFirmUnknown
    try:
        permission = await consents.require(
            session,
            receiver_id=PLATFORM_ID,
            subject_ids=[firm_id],
            purpose=Purpose.PRE_LOAN,
            item_codes=[statement.item_code],
            now=now,
        )
    except ConsentMissing as error:
        raise StatementConsentUnfit from error
    if statement.consent_id not in permission.consent_ids:
        raise StatementConsentUnfit
    return permission


async def _requires_new(session: AsyncSession, statement: Statement, firm_id: UUID) -> None:
    """Refuse what was said before, what a later statement has replaced, and what another provider says."""
    known = select(col(StatementRow.id)).where(
        col(StatementRow.provider_id) == statement.provider_id,
        col(StatementRow.statement_id) == statement.statement_id,
    )
    if (await session.execute(known)).scalar_one_or_none() is not None:
        raise StatementReplayed
    standing = (
        select(
            func.max(col(DerivedValue.made_at)),
            func.bool_or(col(DerivedValue.provider_id) != statement.provider_id),
        )
        .where(col(DerivedValue.firm_id) == firm_id, col(DerivedValue.item_code) == statement.item_code)
        .where(
            tuple_(col(DerivedValue.indicator), col(DerivedValue.as_of_on)).in_(
                [(one.indicator, one.as_of_on) for one in statement.values]
            )
        )
    )
    newest_at, is_of_another = (await session.execute(standing)).one()
    if is_of_another:
        raise ValueOfAnotherProvider
    if newest_at is not None and newest_at >= statement.made_at:
        raise StatementOutdated


async def _write(
    session: AsyncSession,
    viewer: Viewer,
    statement: Statement,
    report: StatementReport,
    told: Mapping[str, Json],
    *,
    key_id: UUID,
    signature: bytes,
) -> None:
    whose = {
        "provider_id": statement.provider_id,
        "firm_id": report.firm_id,
        "item_code": statement.item_code,
        "consent_id": statement.consent_id,
        "made_at": statement.made_at,
    }
    row = whose | {
        "id": report.id,
        "statement_id": statement.statement_id,
        "sent_by": viewer.principal_id,
        "key_id": key_id,
        "words": canonical_bytes(told).decode(),
        "signature": signature,
        "received_at": report.received_at,
    }
    values = [
        whose
        | {
            "statement_id": report.id,
            "line_no": line_no,
            "indicator": one.indicator,
            "unit": one.unit,
            "value": one.value,
            "as_of_on": one.as_of_on,
            "covers_from": one.covers_from,
            "covers_to": one.covers_to,
            "method_version": one.method_version,
            "recorded_at": report.received_at,
        }
        for line_no, one in enumerate(statement.values, 1)
    ]
    await session.execute(insert(_STATEMENTS), [row])
    await session.execute(insert(_VALUES), values)
