"""Consents for tests."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from builders_parties import a_firm
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import OrganisationKind, Viewer
from xinyidai.catalogue.rules import AccessClass, Category, Item, Topology
from xinyidai.consents import service
from xinyidai.consents.rules import ConsentView, Purpose, PurposePolicy
from xinyidai.parties.rules import PLATFORM_ID

NOW = datetime(2025, 6, 16, 4, 0, tzinfo=UTC)


def an_item(code: str, access_class: AccessClass = AccessClass.ON_CONSENT) -> Item:
    """Return an item of the tax administration."""
    return Item(
        code,
        1,
        code,
        code,
        "税务",
        "tax",
        access_class,
        "-",
        False,
        Topology.HELD_COPY,
        30,
        date(2016, 1, 1),
        None,
        Category.TAX,
    )


LISTED = {
    "vat_invoice": an_item("vat_invoice"),
    "loan_outcome": an_item("loan_outcome"),
    "registration": an_item("registration", AccessClass.OPEN),
    "secret": an_item("secret", AccessClass.FORBIDDEN),
}
A_POLICY = PurposePolicy(
    purpose=Purpose.PRE_LOAN,
    version=1,
    valid_from=date(2016, 1, 1),
    valid_to=None,
    most_months=24,
    most_receivers=3,
    most_data_life_days=366,
    categories=frozenset({Category.TAX}),
    item_codes=frozenset(),
    receiver_kinds=frozenset({OrganisationKind.LENDER}),
    legal_basis="-",
    is_verified=False,
)


async def a_consent(
    session: AsyncSession,
    firm: Viewer,
    *,
    purpose: Purpose = Purpose.PRE_LOAN,
    item_codes: Sequence[str] = ("vat_invoice",),
    receiver_ids: Sequence[UUID] = (PLATFORM_ID,),
    days: int = 90,
    data_life_days: int | None = None,
    now: datetime,
) -> ConsentView:
    """Return a consent that the firm gave just now."""
    return await service.grant(
        session,
        firm,
        purpose=purpose,
        item_codes=list(item_codes),
        receiver_ids=list(receiver_ids),
        expires_at=now + timedelta(days=days),
        data_life_days=data_life_days,
        now=now,
    )


async def a_consenting_firm(
    session: AsyncSession,
    *,
    credit_code: str | None = None,
    item_codes: Sequence[str] = ("vat_invoice",),
    receiver_ids: Sequence[UUID] = (PLATFORM_ID,),
    now: datetime,
) -> Viewer:
    """Return the owner of a new firm that lets the receivers use its invoices, or other items, before lending."""
    firm = await a_firm(session, credit_code=credit_code, now=now)
    await a_consent(session, firm, item_codes=item_codes, receiver_ids=receiver_ids, now=now)
    return firm
