"""Products: proposed by one, published by another, superseded, closed; and who may see which."""

import asyncio
from datetime import date, datetime, timedelta

import asyncpg
import pytest
from builders_parties import Desk, a_firm, a_lender, a_viewer
from builders_products import a_product, a_proposal, some_terms
from conftest import Database
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import OrganisationKind, PrincipalKind, Role, SamePersonTwice, Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.demands.rules import LoanUse
from xinyidai.demands.rules import RepaymentKind as DemandedRepaymentKind
from xinyidai.foundation.clock import business_date
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.errors import NotAllowed, NotFound
from xinyidai.foundation.ids import new_id
from xinyidai.parties.rules import IndustryUnknown
from xinyidai.products import queries, service
from xinyidai.products.queries import ProductView, Shown
from xinyidai.products.rules import (
    Clause,
    ClauseFieldUnknown,
    ClausesContradict,
    Operator,
    ProductBeyondPolicy,
    ProductRegionUnknown,
    ProductState,
    ProductStepRefused,
    RepaymentKind,
    TooManyProducts,
)
from xinyidai.products.rules.fields import USES

TODAY = date(2025, 6, 16)


async def test_a_product_is_proposed_by_one_and_published_by_another(session: AsyncSession, noon: datetime) -> None:
    lender = await a_lender(session, now=noon)
    proposed = await a_proposal(session, lender.maker, now=noon)

    published = await service.publish_proposed(session, lender.checker, proposed.id, now=noon)

    assert (proposed.state, published.state, published.version) == (ProductState.PROPOSED, ProductState.PUBLISHED, 1)
    assert (published.proposed_by, published.published_by) == (lender.maker.principal_id, lender.checker.principal_id)
    assert await queries.open_products(session, TODAY) == [published]


async def test_both_people_together_publish_in_one_step(session: AsyncSession, noon: datetime) -> None:
    lender = await a_lender(session, now=noon)
    clause = Clause("indicator:sales_12m_fen", Operator.GTE, 100_000_000, "sales_too_low")

    published = await service.publish(
        session,
        lender.maker,
        lender.checker,
        code="KD1",
        name_zh="快贷",
        name_en="Fast loan",
        min_amount_fen=1_000_000,
        max_amount_fen=100_000_000,
        min_term_months=1,
        max_term_months=12,
        min_rate_bp=400,
        max_rate_bp=615,
        region_codes=["500103"],
        industry_codes=["F", "C13"],
        eligibility=[clause],
        now=noon,
    )

    kept = await queries.product(session, published.id)
    assert kept == published
    assert kept.clauses == (Clause("sales_12m_fen", Operator.GTE, 100_000_000, "sales_too_low"),)


async def test_the_proposer_cannot_publish(session: AsyncSession, noon: datetime) -> None:
    lender = await a_lender(session, now=noon)
    both = await a_viewer(session, lender.id, Role.OFFICER, Role.APPROVER, now=noon)
    proposed = await a_proposal(session, both, now=noon)

    with pytest.raises(SamePersonTwice):
        await service.publish_proposed(session, both, proposed.id, now=noon)

    assert await queries.open_products(session, TODAY) == []


def a_key(lender: Desk, *scopes: str) -> Viewer:
    return Viewer(
        principal_id=new_id(),
        principal_kind=PrincipalKind.CLIENT,
        organisation_id=lender.id,
        organisation_kind=OrganisationKind.LENDER,
        roles=frozenset({Role.OFFICER}),
        scopes=frozenset(scopes),
    )


async def test_who_may_not_propose_is_refused(session: AsyncSession, noon: datetime) -> None:
    lender = await a_lender(session, now=noon)
    firm = await a_firm(session, now=noon)

    for viewer in (firm, lender.checker, a_key(lender, "products:read")):
        with pytest.raises(NotAllowed):
            await a_proposal(session, viewer, now=noon)


async def test_a_key_proposes_and_never_publishes(session: AsyncSession, noon: datetime) -> None:
    lender = await a_lender(session, now=noon)
    proposed = await a_proposal(session, a_key(lender, "products:write"), now=noon)

    with pytest.raises(NotAllowed):
        await service.publish_proposed(session, a_key(lender, "products:write"), proposed.id, now=noon)
    with pytest.raises(NotAllowed):
        await service.publish_proposed(session, lender.maker, proposed.id, now=noon)


async def test_another_lender_can_neither_publish_nor_close(session: AsyncSession, noon: datetime) -> None:
    lender, other = await a_lender(session, now=noon), await a_lender(session, now=noon)
    proposed = await a_proposal(session, lender.maker, now=noon)

    with pytest.raises(NotFound):
        await service.publish_proposed(session, other.checker, proposed.id, now=noon)
    with pytest.raises(NotFound):
        await service.close(session, other.maker, proposed.id, now=noon)


async def test_a_product_opens_on_its_day(session: AsyncSession, noon: datetime) -> None:
    lender = await a_lender(session, now=noon)
    published = await a_product(session, lender, valid_from=TODAY + timedelta(days=5), now=noon)

    before = await queries.open_products(session, TODAY + timedelta(days=4))
    after = await queries.open_products(session, TODAY + timedelta(days=5))

    assert (before, after) == ([], [published])
    assert (published.is_open(TODAY + timedelta(days=4)), published.is_open(TODAY + timedelta(days=5))) == (False, True)


async def test_a_proposal_published_after_its_day_opens_that_day(session: AsyncSession, noon: datetime) -> None:
    lender = await a_lender(session, now=noon)
    proposed = await a_proposal(session, lender.maker, now=noon)

    later = await service.publish_proposed(session, lender.checker, proposed.id, now=noon + timedelta(days=9))

    assert later.valid_from == TODAY + timedelta(days=9)


async def test_a_new_version_takes_over_on_its_day(session: AsyncSession, noon: datetime) -> None:
    lender = await a_lender(session, now=noon)
    first = await a_product(session, lender, some_terms(code="SD"), now=noon)
    second = await a_product(session, lender, some_terms(code="SD"), valid_from=TODAY + timedelta(days=30), now=noon)

    open_now = await queries.open_products(session, TODAY + timedelta(days=29))
    open_then = await queries.open_products(session, TODAY + timedelta(days=30))

    assert second.version == 2
    assert [product.id for product in open_now] == [first.id]
    assert [product.id for product in open_then] == [second.id]


async def test_a_version_overtaken_before_its_day_never_opens(session: AsyncSession, noon: datetime) -> None:
    lender = await a_lender(session, now=noon)
    first = await a_product(session, lender, some_terms(code="SD"), valid_from=TODAY + timedelta(days=30), now=noon)

    second = await a_product(session, lender, some_terms(code="SD"), now=noon)

    overtaken = await queries.product(session, first.id)
    assert overtaken.valid_from == overtaken.valid_to
    assert await queries.open_products(session, TODAY + timedelta(days=60)) == [second]


async def test_an_older_version_is_not_published_over_a_newer(session: AsyncSession, noon: datetime) -> None:
    lender = await a_lender(session, now=noon)
    older = await a_proposal(session, lender.maker, some_terms(code="SD"), now=noon)
    newer = await a_product(session, lender, some_terms(code="SD"), now=noon)

    with pytest.raises(ProductStepRefused):
        await service.publish_proposed(session, lender.checker, older.id, now=noon)

    assert await queries.open_products(session, TODAY) == [newer]


async def test_a_closed_product_is_off_the_shelf_from_that_day_and_still_readable(
    session: AsyncSession, noon: datetime
) -> None:
    lender = await a_lender(session, now=noon)
    published = await a_product(session, lender, now=noon)

    closed = await service.close(session, lender.maker, published.id, now=noon + timedelta(days=3))

    assert (closed.state, closed.valid_to) == (ProductState.CLOSED, TODAY + timedelta(days=3))
    assert await queries.product(session, published.id) == closed
    assert await queries.open_products(session, TODAY + timedelta(days=3)) == []
    assert await queries.open_products(session, TODAY + timedelta(days=2)) == [closed]


async def test_what_has_ended_or_is_published_takes_no_further_step(session: AsyncSession, noon: datetime) -> None:
    lender = await a_lender(session, now=noon)
    dropped = await a_proposal(session, lender.maker, now=noon)
    published = await a_product(session, lender, now=noon)
    await service.close(session, lender.checker, dropped.id, now=noon)

    for product in (dropped, published):
        with pytest.raises(ProductStepRefused):
            await service.publish_proposed(session, lender.checker, product.id, now=noon)
    with pytest.raises(ProductStepRefused):
        await service.close(session, lender.maker, dropped.id, now=noon)


async def test_unknown_regions_industries_indicators_and_excess_are_refused(
    session: AsyncSession, noon: datetime
) -> None:
    lender = await a_lender(session, now=noon)
    unknown = Clause("indicator:moon_phase", Operator.GT, 1, "moon")
    narrow = [Clause("staff", Operator.GT, 5, "few"), Clause("staff", Operator.LT, 3, "many")]

    for refusal, terms in (
        (ProductRegionUnknown, some_terms(region_codes=["500103", "999999"])),
        (IndustryUnknown, some_terms(industry_codes=["F99"])),
        (ClauseFieldUnknown, some_terms(clauses=[unknown])),
        (ClausesContradict, some_terms(clauses=narrow)),
        (ProductBeyondPolicy, some_terms(rates_bp=(400, 2_401))),
    ):
        with pytest.raises(refusal):
            await a_proposal(session, lender.maker, terms, now=noon)

    written = await session.execute(text("SELECT count(*) FROM products.product"))
    assert written.scalar_one() == 0


async def test_a_lender_has_only_so_many_products(
    session: AsyncSession, noon: datetime, admin: asyncpg.Connection
) -> None:
    lender = await a_lender(session, now=noon)
    await admin.execute(
        "INSERT INTO products.limits SELECT '2025-01-01', max_amount_fen, max_term_months, max_rate_bp,"
        " max_answer_working_days, 2, 'test' FROM products.limits"
    )
    first = await a_product(session, lender, now=noon)
    await a_proposal(session, lender.maker, now=noon)

    with pytest.raises(TooManyProducts):
        await a_proposal(session, lender.maker, now=noon)

    await service.close(session, lender.maker, first.id, now=noon)
    assert (await a_proposal(session, lender.maker, now=noon)).version == 1


async def test_each_act_is_written_down(session: AsyncSession, noon: datetime) -> None:
    lender = await a_lender(session, now=noon)
    published = await a_product(session, lender, now=noon)

    await service.close(session, lender.maker, published.id, now=noon)

    rows = await session.execute(
        text("SELECT action, principal_id FROM audit.record WHERE object_id = :id ORDER BY id"),
        {"id": str(published.id)},
    )
    assert rows.all() == [
        ("products.proposed", lender.maker.principal_id),
        ("products.published", lender.checker.principal_id),
        ("products.closed", lender.maker.principal_id),
    ]


async def committed(database: Database, now: datetime) -> tuple[Desk, Desk, ProductView, ProductView]:
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=now)
        lender, other = await a_lender(session, now=now), await a_lender(session, now=now)
        proposed = await a_proposal(session, lender.maker, now=now)
        published = await a_product(session, lender, now=now)
    return lender, other, proposed, published


async def test_a_proposal_is_its_lenders_own_and_what_is_published_is_for_everybody(
    database: Database, noon: datetime
) -> None:
    lender, other, proposed, published = await committed(database, noon)

    seen: dict[str, set[object]] = {}
    for name, viewer in (("own", lender.checker), ("other", other.maker)):
        async with in_transaction(database.app) as session:
            await act_as(session, viewer, now=noon)
            seen[name] = set((await session.execute(text("SELECT id FROM products.product"))).scalars())
    async with in_transaction(database.app) as session:
        await act_as(session, other.maker, now=noon)
        with pytest.raises(NotFound):
            await queries.product(session, proposed.id)
        page = await queries.product_page(session, other.maker, on=TODAY)
        mine = await queries.product_page(session, other.maker, shown=Shown.MINE, on=TODAY)

    assert seen == {"own": {proposed.id, published.id}, "other": {published.id}}
    assert ([product.id for product in page.rows], mine.rows) == ([published.id], ())


async def test_in_its_own_scope_a_lender_does_all_of_it(database: Database, noon: datetime) -> None:
    lender, _, proposed, _ = await committed(database, noon)

    async with in_transaction(database.app) as session:
        await act_as(session, lender.checker, now=noon)
        await service.publish_proposed(session, lender.checker, proposed.id, now=noon)
    async with in_transaction(database.app) as session:
        await act_as(session, lender.maker, now=noon)
        await a_proposal(session, lender.maker, now=noon)
        closed = await service.close(session, lender.maker, proposed.id, now=noon)

    assert closed.state is ProductState.CLOSED


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE products.product SET valid_to = '2025-06-17'",
        "UPDATE products.product SET state = 'closed', closed_at = proposed_at",
    ],
)
async def test_another_lender_cannot_end_a_published_product_by_raw_sql(
    database: Database, noon: datetime, statement: str
) -> None:
    _, other, _, _ = await committed(database, noon)

    async with database.app() as session:
        await act_as(session, other.maker, now=noon)
        with pytest.raises(DBAPIError, match="row-level security"):
            await session.execute(text(statement))


async def test_web_and_worker_have_no_right_to_change_terms(database: Database, noon: datetime) -> None:
    lender, _, _, _ = await committed(database, noon)

    for sessions in (database.app, database.worker):
        async with sessions() as session:
            await act_as(session, lender.maker, now=noon)
            with pytest.raises(DBAPIError, match="permission denied"):
                await session.execute(text("UPDATE products.product SET max_rate_bp = 2400"))


@pytest.mark.parametrize(
    "change",
    [
        "max_rate_bp = 2400",
        "clauses = '[]', min_rate_bp = 0",
        "lender_id = gen_random_uuid()",
        "valid_from = '2025-01-01'",
        "state = 'proposed', published_by = NULL, published_at = NULL",
        "published_by = gen_random_uuid()",
    ],
)
async def test_not_even_a_superuser_changes_published_terms_while_the_trigger_stands(
    database: Database, noon: datetime, admin: asyncpg.Connection, change: str
) -> None:
    _, _, _, published = await committed(database, noon)
    await admin.execute("SET session_replication_role = replica")

    with pytest.raises(asyncpg.RestrictViolationError, match="append_only"):
        await admin.execute(f"UPDATE products.product SET {change} WHERE id = $1", published.id)
    with pytest.raises(asyncpg.RestrictViolationError, match="append_only"):
        await admin.execute("DELETE FROM products.product WHERE id = $1", published.id)


async def test_what_has_ended_is_not_opened_again_by_raw_sql(
    database: Database, noon: datetime, admin: asyncpg.Connection
) -> None:
    lender, _, _, published = await committed(database, noon)
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=noon)
        superseding = some_terms(code=published.code)
        await a_product(session, lender, superseding, valid_from=TODAY + timedelta(days=5), now=noon)

    for change in ("valid_to = NULL", "valid_to = '2099-01-01'"):
        with pytest.raises(asyncpg.RestrictViolationError, match="append_only"):
            await admin.execute(f"UPDATE products.product SET {change} WHERE id = $1", published.id)


async def test_nobody_inserts_a_product_as_published(
    database: Database, noon: datetime, admin: asyncpg.Connection
) -> None:
    _, _, _, published = await committed(database, noon)

    with pytest.raises(asyncpg.RestrictViolationError, match="begins as a proposal"):
        await admin.execute(
            "INSERT INTO products.product SELECT (jsonb_populate_record(p, jsonb_build_object("
            "'id', gen_random_uuid(), 'version', 2))).* FROM products.product p WHERE id = $1",
            published.id,
        )


async def test_two_officers_at_once_get_two_versions(database: Database, noon: datetime) -> None:
    lender, _, _, _ = await committed(database, noon)

    async def propose() -> int:
        async with in_transaction(database.app) as session:
            await act_as(session, lender.maker, now=noon)
            return (await a_proposal(session, lender.maker, some_terms(code="SAME"), now=noon)).version

    versions = await asyncio.gather(propose(), propose(), propose())

    assert sorted(versions) == [1, 2, 3]


async def test_pages_follow_each_other_and_open_products_have_one_order(session: AsyncSession, noon: datetime) -> None:
    lender, other = await a_lender(session, now=noon), await a_lender(session, now=noon)
    for code in ("b", "a", "C", "c"):
        await a_product(session, lender, some_terms(code=code), now=noon)
    await a_product(session, other, some_terms(code="a"), now=noon)

    first = await queries.product_page(session, lender.maker, lender_id=lender.id, on=TODAY, limit=3)
    rest = await queries.product_page(
        session, lender.maker, lender_id=lender.id, on=TODAY, cursor=first.next_cursor, limit=3
    )
    on_shelf = await queries.open_products(session, business_date(noon))

    assert [product.code for product in (*first.rows, *rest.rows)] == ["b", "a", "C", "c"]
    assert rest.next_cursor is None
    assert [product.code for product in on_shelf] == ["C", "a", "a", "b", "c"]


def test_products_and_demands_use_the_same_words() -> None:
    assert {kind.value for kind in RepaymentKind} == {kind.value for kind in DemandedRepaymentKind}
    assert {use.value for use in LoanUse} == USES
