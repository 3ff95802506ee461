"""The doors of consents: a firm reads the text, agrees, sees what it agreed to, and takes it back."""

from datetime import date, datetime
from uuid import UUID

from litestar import Router, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import OrganisationKind, Role, Viewer
from xinyidai.consents import queries, service
from xinyidai.consents.rules import Purpose
from xinyidai.consents.schemas import ConsentIn, ConsentOut, ConsentPageOut, ConsentTextOut, PurposePoliciesOut
from xinyidai.consents.texts import text_on
from xinyidai.foundation.clock import business_date

BY_SUBJECT = requires(OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER, roles=(Role.OWNER,), scope="consents:write")
BY_PARTIES = requires(scope="consents:read")


@get(
    "/text",
    operation_id="ShowConsentText",
    summary="The text of a consent",
    description="What a firm is shown before it agrees, in Chinese and English, with the digest it agrees to.",
    guards=[BY_PARTIES],
)
async def show_consent_text(
    purpose: FromQuery[Purpose], session: NamedDependency[AsyncSession], now: NamedDependency[datetime]
) -> ConsentTextOut:
    """Show today's text for a purpose."""
    return ConsentTextOut.of(text_on(business_date(now)), await service.policy_of(session, purpose, now=now))


@get(
    "/policies",
    operation_id="ListPurposePolicies",
    summary="How wide a consent may be",
    description="By purpose, on a Shanghai day, today's where none is named: longest term, most receivers, which items"
    " and kinds of receiver a consent may name, how long what was read may be kept.",
    guards=[BY_PARTIES],
)
async def list_purpose_policies(
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    on: FromQuery[date | None] = None,
) -> PurposePoliciesOut:
    """List the policies of a day."""
    day = on or business_date(now)
    return PurposePoliciesOut.of(day, (await queries.policies(session, day)).values())


@post(
    "/",
    operation_id="GrantConsent",
    summary="Give consent",
    description="Let receivers read items of one's own firm for one purpose until a moment, all within the policy of"
    " the purpose (ListPurposePolicies). What is too wide is refused in one answer that names all of it.",
    guards=[BY_SUBJECT],
)
async def grant_consent(
    data: JSONBody[ConsentIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> ConsentOut:
    """Grant."""
    granted = await service.grant(
        session,
        viewer,
        purpose=data.purpose,
        item_codes=data.item_codes,
        receiver_ids=data.receiver_ids,
        expires_at=data.expires_at,
        data_life_days=data.data_life_days,
        text_digest=bytes.fromhex(data.text_digest),
        now=now,
    )
    return ConsentOut.of(granted)


@get(
    "/",
    operation_id="ListConsents",
    summary="My consents",
    description="The consents that one's own organisation gave, or that name it as a receiver.",
    guards=[BY_PARTIES],
)
async def list_consents(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    cursor: FromQuery[str | None] = None,
    limit: FromQuery[int] = 50,
) -> ConsentPageOut:
    """List."""
    return ConsentPageOut.of(await queries.consents_of(session, viewer, now=now, cursor=cursor, limit=limit))


@get(
    "/{consent_id:uuid}",
    operation_id="ShowConsent",
    summary="One consent",
    description="To its subject and the receivers it names; to anybody else it is not there.",
    guards=[BY_PARTIES],
)
async def show_consent(
    consent_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> ConsentOut:
    """Show."""
    return ConsentOut.of(await queries.consent(session, viewer, consent_id, now=now))


@post(
    "/{consent_id:uuid}/revoke",
    operation_id="RevokeConsent",
    summary="Take a consent back",
    description="At once and for good: the very next read under it is refused. Revoking twice changes nothing.",
    guards=[BY_SUBJECT],
    status_code=200,
)
async def revoke_consent(
    consent_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> ConsentOut:
    """Revoke."""
    return ConsentOut.of(await service.revoke(session, viewer, consent_id, now=now))


@post(
    "/{consent_id:uuid}/items/{item_code:str}/withdraw",
    operation_id="WithdrawConsentItem",
    summary="Take one item of a consent back",
    description="At once and for good, the rest of the consent stands; the last item takes the whole consent back."
    " Twice changes nothing.",
    guards=[BY_SUBJECT],
    status_code=200,
)
async def withdraw_consent_item(
    consent_id: FromPath[UUID],
    item_code: FromPath[str],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> ConsentOut:
    """Withdraw one item."""
    return ConsentOut.of(await service.withdraw_item(session, viewer, consent_id, item_code, now=now))


router = Router(
    path="/consents",
    route_handlers=[
        show_consent_text,
        list_purpose_policies,
        grant_consent,
        list_consents,
        show_consent,
        revoke_consent,
        withdraw_consent_item,
    ],
    tags=["consents"],
)
