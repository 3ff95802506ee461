"""Verbs on products: one person of the lender proposes, another publishes; a version is superseded or closed."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from xinyidai.access.rules import (
    OrganisationKind,
    PrincipalKind,
    Role,
    Viewer,
    requires_a_person,
    requires_kind,
    requires_role,
    requires_scope,
    requires_two_people,
)
from xinyidai.audit import service as audit
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.database import lock_key
from xinyidai.foundation.errors import NotFound
from xinyidai.parties import queries as parties
from xinyidai.products import queries
from xinyidai.products.models import Product
from xinyidai.products.queries import ProductView, view_of
from xinyidai.products.rules import (
    Clause,
    ProductRegionUnknown,
    ProductState,
    ProductStepRefused,
    ProductTerms,
    RepaymentKind,
    TooManyProducts,
    canonical_clause,
    check_terms,
    clause_json,
)
from xinyidai.products.rules.terms import superseded_to
from xinyidai.profiles import model

WRITES = "products:write"
ALL_REPAYMENT_KINDS = tuple(kind.value for kind in RepaymentKind)


async def publish(
    session: AsyncSession,
    maker: Viewer,
    checker: Viewer,
    *,
    code: str,
    name_zh: str,
    name_en: str,
    min_amount_fen: int,
    max_amount_fen: int,
    min_term_months: int,
    max_term_months: int,
    min_rate_bp: int,
    max_rate_bp: int,
    repayment_kinds: Sequence[str] = ALL_REPAYMENT_KINDS,
    applicant_kinds: Sequence[str] = (),
    region_codes: Sequence[str] = (),
    industry_codes: Sequence[str] = (),
    requires_cover: bool = False,
    answer_working_days: int | None = None,
    eligibility: Sequence[Clause] = (),
    valid_from: date | None = None,
    now: datetime,
) -> ProductView:
    """Propose and publish in one step, for callers that have both people; refusals as of the two steps."""
    terms = ProductTerms(
        code=code,
        name_zh=name_zh,
        name_en=name_en,
        min_amount_fen=min_amount_fen,
        max_amount_fen=max_amount_fen,
        min_term_months=min_term_months,
        max_term_months=max_term_months,
        min_rate_bp=min_rate_bp,
        max_rate_bp=max_rate_bp,
        repayment_kinds=tuple(str(kind) for kind in repayment_kinds),
        applicant_kinds=tuple(str(kind) for kind in applicant_kinds),
        region_codes=tuple(region_codes),
        industry_codes=tuple(industry_codes),
        requires_cover=requires_cover,
        answer_working_days=answer_working_days,
        clauses=tuple(eligibility),
    )
    proposed = await propose(session, maker, terms, valid_from=valid_from, now=now)
    return await publish_proposed(session, checker, proposed.id, now=now)


async def propose(
    session: AsyncSession, maker: Viewer, terms: ProductTerms, *, valid_from: date | None = None, now: datetime
) -> ProductView:
    """Write down a new product, or the next version of one by the same code, that nobody but its lender sees.

    Raises
    ------
    NotAllowed
        The maker is no officer of a lender, nor a client of one with the scope.
    ProductTermsRefused, ProductBoundsReversed, ProductBeyondPolicy, ProductRegionUnknown, IndustryUnknown
    TooManyProducts
        Also every refusal of `rules.check_clauses`; each names the term or the condition.
    """
    _requires_lender(maker, Role.OFFICER)
    opens_on = max(valid_from or business_date(now), business_date(now))
    kept = replace(terms, clauses=tuple(canonical_clause(clause) for clause in terms.clauses))
    await _check(session, kept, opens_on)
    await lock_key(session, f"products:{maker.organisation_id}")
    await _check_room(session, maker.organisation_id, opens_on, today=business_date(now))
    version = await _next_version(session, maker.organisation_id, kept.code)
    row = _proposal(maker, kept, version, opens_on, now=now)
    session.add(row)
    await session.flush()
    await _write_down(session, maker, row, "products.proposed", now=now)
    return view_of(row)


async def publish_proposed(session: AsyncSession, checker: Viewer, product_id: UUID, *, now: datetime) -> ProductView:
    """Publish a proposal: it opens on its day, today at the earliest, and earlier versions of its code end there.

    The terms are checked again, for policy may have moved since. Locks the lender's products, then the row.

    Raises
    ------
    NotAllowed, NotFound, SamePersonTwice
    ProductStepRefused
        It was published or closed before, or a later version of its code was published meanwhile.
    """
    _requires_lender(checker, Role.APPROVER)
    requires_a_person(checker)
    requires_role(checker, Role.APPROVER)
    row = await _own_locked(session, checker, product_id)
    requires_two_people(row.proposed_by, checker.principal_id)
    if row.state != ProductState.PROPOSED:
        raise ProductStepRefused(state=row.state, wanted=ProductState.PUBLISHED.value)
    opens_on = max(row.valid_from, business_date(now))
    await _check(session, view_of(row), opens_on)
    await _supersede(session, row, opens_on)
    row.state = ProductState.PUBLISHED.value
    row.valid_from = opens_on
    row.published_by = checker.principal_id
    row.published_at = now
    await session.flush()
    await _write_down(session, checker, row, "products.published", now=now)
    return view_of(row)


async def close(session: AsyncSession, viewer: Viewer, product_id: UUID, *, now: datetime) -> ProductView:
    """Close a product from today on, or drop a proposal. One person may close; to open again takes a new version.

    Raises
    ------
    NotAllowed, NotFound
    ProductStepRefused
        It has ended already.
    """
    _requires_lender(viewer, Role.OFFICER, Role.APPROVER)
    row = await _own_locked(session, viewer, product_id)
    today = business_date(now)
    if row.state == ProductState.CLOSED or (row.valid_to is not None and row.valid_to <= today):
        raise ProductStepRefused(state="ended", wanted=ProductState.CLOSED.value)
    if row.state == ProductState.PUBLISHED:
        row.valid_to = max(row.valid_from, today)
    row.state = ProductState.CLOSED.value
    row.closed_by = viewer.principal_id
    row.closed_at = now
    await session.flush()
    await _write_down(session, viewer, row, "products.closed", now=now)
    return view_of(row)


def _requires_lender(viewer: Viewer, *roles: Role) -> None:
    requires_kind(viewer, OrganisationKind.LENDER)
    requires_scope(viewer, WRITES)
    if viewer.principal_kind is not PrincipalKind.CLIENT:
        requires_role(viewer, *roles)


async def _check(session: AsyncSession, terms: ProductTerms, opens_on: date) -> None:
    policy = await queries.limits_on(session, opens_on)
    check_terms(terms, policy, indicators={text.code for text in model.indicator_texts()})
    if terms.region_codes:
        standing = {region.code for region in await parties.regions_on(session, opens_on, with_zones=True)}
        unknown = [code for code in terms.region_codes if code not in standing]
        if unknown:
            raise ProductRegionUnknown(regions=unknown, on=opens_on.isoformat())
    for code in terms.industry_codes:
        await parties.industry_of(session, code, on=opens_on)


async def _check_room(session: AsyncSession, lender_id: UUID, opens_on: date, *, today: date) -> None:
    policy = await queries.limits_on(session, opens_on)
    statement = (
        select(func.count())
        .select_from(Product)
        .where(
            col(Product.lender_id) == lender_id,
            col(Product.state) != ProductState.CLOSED.value,
            or_(col(Product.valid_to).is_(None), col(Product.valid_to) > today),
        )
    )
    if (await session.execute(statement)).scalar_one() >= policy.max_products:
        raise TooManyProducts(most=policy.max_products)


async def _next_version(session: AsyncSession, lender_id: UUID, code: str) -> int:
    statement = select(func.max(col(Product.version))).where(
        col(Product.lender_id) == lender_id, col(Product.code) == code
    )
    return ((await session.execute(statement)).scalar_one() or 0) + 1


async def _own_locked(session: AsyncSession, viewer: Viewer, product_id: UUID) -> Product:
    await lock_key(session, f"products:{viewer.organisation_id}")
    row = await session.get(Product, product_id, with_for_update=True, populate_existing=True)
    if row is None or row.lender_id != viewer.organisation_id:
        raise NotFound
    return row


async def _supersede(session: AsyncSession, row: Product, opens_on: date) -> None:
    statement = (
        select(Product)
        .where(
            col(Product.lender_id) == row.lender_id,
            col(Product.code) == row.code,
            col(Product.state) == ProductState.PUBLISHED.value,
            or_(col(Product.valid_to).is_(None), col(Product.valid_to) > opens_on),
        )
        .order_by(col(Product.version))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    for other in (await session.execute(statement)).scalars().all():
        if other.version > row.version:
            raise ProductStepRefused(state="overtaken", wanted=ProductState.PUBLISHED.value)
        other.valid_to = superseded_to(other.valid_from, opens_on)
    await session.flush()


def _proposal(maker: Viewer, terms: ProductTerms, version: int, opens_on: date, *, now: datetime) -> Product:
    return Product(
        lender_id=maker.organisation_id,
        code=terms.code,
        version=version,
        name_zh=terms.name_zh,
        name_en=terms.name_en,
        min_amount_fen=terms.min_amount_fen,
        max_amount_fen=terms.max_amount_fen,
        min_term_months=terms.min_term_months,
        max_term_months=terms.max_term_months,
        min_rate_bp=terms.min_rate_bp,
        max_rate_bp=terms.max_rate_bp,
        repayment_kinds=list(terms.repayment_kinds),
        applicant_kinds=list(terms.applicant_kinds),
        region_codes=list(terms.region_codes),
        industry_codes=list(terms.industry_codes),
        requires_cover=terms.requires_cover,
        answer_working_days=terms.answer_working_days,
        clauses=[clause_json(clause) for clause in terms.clauses],
        valid_from=opens_on,
        proposed_by=maker.principal_id,
        proposed_at=now,
    )


async def _write_down(session: AsyncSession, viewer: Viewer, row: Product, action: str, *, now: datetime) -> None:
    await audit.write_down(
        session,
        viewer,
        action=action,
        subject_ids=[row.lender_id],
        object_kind="product",
        object_id=str(row.id),
        now=now,
    )
