"""Passing a question through to the owner of an item: the answer goes to who asked, and only a receipt stays."""

from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel

from xinyidai.access.rules import OrganisationKind, Role, Viewer, requires_kind, requires_role
from xinyidai.access.service import act_as, platform_scope
from xinyidai.audit import service as audit
from xinyidai.catalogue import queries as catalogue
from xinyidai.catalogue.rules import Topology, requires_usable
from xinyidai.consents import service as consents
from xinyidai.consents.rules import Permission, Purpose
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.database import Sessions, in_transaction
from xinyidai.foundation.errors import NotFound, ValueRefused
from xinyidai.foundation.ids import new_id
from xinyidai.foundation.settings import settings
from xinyidai.foundation.signatures import is_signed, signed_bytes
from xinyidai.parties import queries as parties
from xinyidai.parties.rules import PartyId
from xinyidai.sources.queries import keys
from xinyidai.sources.rules.keys import SignatureWrong
from xinyidai.sources.rules.passing import (
    HEADLINE,
    ItemNotPassedThrough,
    Passed,
    Question,
    ReceiptView,
    SignedAnswer,
    receipt_words,
    requires_fit,
)

_RECEIPTS = SQLModel.metadata.tables["sources.receipt"]
ASKERS = (OrganisationKind.LENDER, OrganisationKind.GUARANTOR)


class Provider(Protocol):
    """The owner of an item, as one outside system speaks for it."""

    async def answer(self, question: Question) -> SignedAnswer:
        """Answer under a signature.

        Raises
        ------
        SourceUnavailable
            It did not, within its bound.
        """


async def pass_question(
    sessions: Sessions,
    viewer: Viewer,
    provider: Provider,
    *,
    firm_id: UUID,
    item_code: str,
    covers_from: date,
    covers_to: date,
    purpose: Purpose = Purpose.PRE_LOAN,
    now: datetime,
) -> Passed:
    """Ask an item's owner about a firm for a lender or guarantor, and hand the answer on without keeping it.

    Two transactions with the call between them: the first writes down that the question left, the second looks at the
    consent again and writes the receipt. Whatever fails in between or after, the answer is let go of unread: nobody
    gets one that has no receipt.

    Raises
    ------
    NotAllowed, NotFound, ConsentMissing, ItemNotListed, ItemForbidden, ItemNotPassedThrough, ValueRefused
        Before anything is asked.
    SourceUnavailable
        The provider did not answer; the question is written down, and there is no receipt.
    AnswerUnfit, ProviderKeyUnknown, ProviderKeyNotInForce, SignatureWrong, ConsentMissing
        It answered, and the answer may not be handed on.
    """
    requires_kind(viewer, *ASKERS)
    requires_role(viewer, Role.OFFICER, Role.APPROVER)
    if covers_from > covers_to:
        raise ValueRefused(field="covers_to", why="before covers_from")
    async with in_transaction(sessions) as session:
        await act_as(session, viewer, now=now)
        await _requires_passing(session, item_code, now=now)
        permission = await _permission(session, viewer, firm_id, item_code, purpose, now=now)
        asked = (await parties.parties_by_id(session, [firm_id])).get(PartyId(firm_id))
        if asked is None or asked.credit_code is None:
            raise NotFound
        question = Question(
            id=new_id(),
            asker_id=viewer.organisation_id,
            credit_code=asked.credit_code,
            item_code=item_code,
            purpose=purpose,
            consent_ids=permission.consent_ids,
            covers_from=covers_from,
            covers_to=covers_to,
            asked_at=now,
        )
        await _write_down(session, viewer, "sources.question_passed", firm_id, question)
    answer = await provider.answer(question)
    async with in_transaction(sessions) as session:
        await act_as(session, viewer, now=now)
        await _permission(session, viewer, firm_id, item_code, purpose, now=now)
        await _requires_signed(session, question, answer, now=now)
        receipt = _receipt(question, answer, firm_id)
        async with platform_scope(session):
            await session.execute(insert(_RECEIPTS), [_row(viewer, receipt)])
        await _write_down(session, viewer, "sources.answer_passed", firm_id, question)
    return Passed(receipt, answer.body, answer.salt)


async def _requires_passing(session: AsyncSession, item_code: str, *, now: datetime) -> None:
    item = await catalogue.item(session, item_code, business_date(now))
    requires_usable(item)
    topology = await catalogue.topology_in(session, item, settings().province_code)
    if topology is not Topology.PASS_THROUGH:
        raise ItemNotPassedThrough(item=item_code, topology=topology.value)


async def _permission(
    session: AsyncSession, viewer: Viewer, firm_id: UUID, item_code: str, purpose: Purpose, *, now: datetime
) -> Permission:
    return await consents.permission_for(
        session,
        receiver_id=viewer.organisation_id,
        subject_ids=[firm_id],
        purpose=purpose,
        item_codes=[item_code],
        now=now,
    )


async def _requires_signed(session: AsyncSession, question: Question, answer: SignedAnswer, *, now: datetime) -> None:
    requires_fit(question, answer)
    async with platform_scope(session):
        key = await keys.key_of(session, answer.provider_id, answer.key_id)
    key.requires_in_force(now)
    words = receipt_words(
        question, provider_id=answer.provider_id, answer_digest=answer.digest, answered_at=answer.answered_at
    )
    if not is_signed(key.public_key, signed_bytes(HEADLINE, words), answer.signature):
        raise SignatureWrong


def _receipt(question: Question, answer: SignedAnswer, firm_id: UUID) -> ReceiptView:
    return ReceiptView(
        id=question.id,
        firm_id=firm_id,
        asker_id=question.asker_id,
        provider_id=answer.provider_id,
        item_code=question.item_code,
        purpose=question.purpose,
        consent_ids=question.consent_ids,
        covers_from=question.covers_from,
        covers_to=question.covers_to,
        answer_digest=answer.digest,
        key_id=answer.key_id,
        signature=answer.signature,
        asked_at=question.asked_at,
        answered_at=answer.answered_at,
    )


def _row(viewer: Viewer, receipt: ReceiptView) -> dict[str, object]:
    return {
        "id": receipt.id,
        "firm_id": receipt.firm_id,
        "asker_id": receipt.asker_id,
        "asked_by": viewer.principal_id,
        "provider_id": receipt.provider_id,
        "item_code": receipt.item_code,
        "purpose": receipt.purpose.value,
        "consent_ids": list(receipt.consent_ids),
        "covers_from": receipt.covers_from,
        "covers_to": receipt.covers_to,
        "answer_digest": receipt.answer_digest,
        "key_id": receipt.key_id,
        "signature": receipt.signature,
        "asked_at": receipt.asked_at,
        "answered_at": receipt.answered_at,
    }


async def _write_down(session: AsyncSession, viewer: Viewer, action: str, firm_id: UUID, question: Question) -> None:
    await audit.write_down(
        session,
        viewer,
        action=action,
        subject_ids=[firm_id],
        object_kind="question",
        object_id=str(question.id),
        now=question.asked_at,
        purpose=question.purpose.value,
        consent_ids=question.consent_ids,
    )
