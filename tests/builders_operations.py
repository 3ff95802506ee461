"""Work of the platform that went wrong: deliveries and a job that were given up or failed."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

import asyncpg
from builders_parties import Desk, a_lender
from builders_scoring import a_bundle, a_released_model, a_town
from builders_sources import a_row, an_agency
from conftest import Database
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Role, Viewer
from xinyidai.access.service import act_as, act_as_platform
from xinyidai.foundation.clock import wall_now
from xinyidai.foundation.database import in_transaction
from xinyidai.foundation.outbox import MAX_ATTEMPTS, DeliveryState, OutboxDelivery, OutboxEvent
from xinyidai.foundation.timetable import MAX_ATTEMPTS as MOST_TRIES
from xinyidai.foundation.timetable import JobDue
from xinyidai.parties import queries
from xinyidai.parties import service as parties
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.parties.service.simulated import SIMULATED_DOMAIN
from xinyidai.partners import service as partners
from xinyidai.scoring import service as scoring
from xinyidai.sources import service as sources
from xinyidai.sources.models import Pull
from xinyidai.sources.rules import DeliveryKind
from xinyidai.sources.rules.pull_parts import PullReason
from xinyidai.sources.rules.pulls import PullSource, PullState

CONSUMER = "tests.pour"
JOB = "tests.remember"


async def a_delivery(
    session: AsyncSession,
    *,
    name: str = "KettleBoiled",
    consumer: str = CONSUMER,
    state: DeliveryState = DeliveryState.PARKED,
    attempts: int = MAX_ATTEMPTS,
    last_error: str | None = "RuntimeError",
    now: datetime,
) -> UUID:
    """Return a delivery of an event with one field, `kettle_id`; given up unless said otherwise."""
    event = OutboxEvent(name=name, aggregate="kettle:blue", body={"kettle_id": "blue"}, occurred_at=now)
    session.add(event)
    await session.flush()
    delivery = OutboxDelivery(
        event_id=event.id, consumer=consumer, state=state, attempts=attempts, last_error=last_error
    )
    session.add(delivery)
    await session.flush()
    return delivery.id


async def a_job_given_up(
    session: AsyncSession, *, name: str = JOB, period: str = "2025-06-15", error: str = "OSError", now: datetime
) -> None:
    """Write down a day of a job that failed for the last time."""
    session.add(
        JobDue(
            job=name,
            period=period,
            business_at=now,
            attempts=MOST_TRIES,
            leased_until=wall_now(),
            last_error=error,
        )
    )
    await session.flush()


@dataclass(frozen=True)
class OperatorsDesk:
    """The operator with trouble of every kind: two people, and `alone`, who may make and approve and made all of it."""

    maker: Viewer
    checker: Viewer
    alone: Viewer
    given_up: UUID
    failed: UUID
    model: str
    review_id: UUID
    exception_id: UUID
    agency_id: UUID
    bank: Desk
    key_id: UUID
    at: datetime

    @property
    def pages(self) -> list[str]:
        """Return every page of the desk, some with a filter that leaves nothing."""
        return [
            "/operator",
            "/operator/deliveries",
            "/operator/deliveries?standing=given_up",
            "/operator/deliveries?standing=pending&event=Nothing",
            "/operator/deliveries/retry",
            f"/operator/deliveries/{self.given_up}/retry",
            "/operator/jobs",
            f"/operator/jobs/{JOB}/retry",
            "/operator/sources",
            f"/operator/sources/{self.agency_id}",
            "/operator/quality",
            f"/operator/quality/vat_invoice/{self.agency_id}/2025-06",
            "/operator/reviews",
            f"/operator/reviews/{self.review_id}",
            "/operator/models",
            f"/operator/models/{self.model}",
            "/operator/institutions",
            "/operator/institutions?kind=regulator",
            f"/operator/institutions/{self.bank.id}",
            "/operator/city",
        ]


async def an_operators_desk(database: Database, *, now: datetime) -> OperatorsDesk:
    """Return the operator's desk; only its simulated staff may come in by the sandbox's door."""
    async with in_transaction(database.worker) as session:
        await act_as_platform(session, now=now)
        maker = await a_colleague(session, "maker", Role.OFFICER, Role.ADMIN, now=now)
        checker = await a_colleague(session, "checker", Role.APPROVER, now=now)
        alone = await a_colleague(session, "alone", Role.OFFICER, Role.APPROVER, now=now)
        given_up = await a_delivery(session, last_error="<script>alert(1)</script>", now=now)
        await a_delivery(session, name="KettleBroken", now=now)
        failed = await a_delivery(session, state=DeliveryState.WAITING, attempts=1, now=now)
        await a_job_given_up(session, now=now)
        await a_released_model(session, now=now)
        proposed = await scoring.propose_release(session, alone, a_bundle(4), now=now)
        exception_id = await parties.propose_code_exception(
            session, alone, credit_code="91350100M0001TGQXN", reason="营业执照原件与登记机关核对一致", now=now
        )
        bank = await a_lender(session, now=now)
        await parties.invite(
            session, bank.maker, organisation_id=bank.id, email="new@bank.example", roles=[Role.OFFICER], now=now
        )
        agency = await an_agency(session, now=now)
        town = await a_town(session, firms=1, now=now)
        session.add(
            Pull(
                firm_id=town.firms[0].organisation_id,
                source=PullSource.TAX,
                state=PullState.FAILED,
                reason=PullReason.SILENT,
                asked_by=town.firms[0].principal_id,
                asked_at=now,
                months_from=date(2023, 6, 1),
                months_to=date(2025, 5, 1),
                code_digest=b"digest",
                ended_at=now,
            )
        )
    async with in_transaction(database.app) as session:
        await act_as(session, town.firms[0], now=now)
        score = await scoring.score_own(session, town.firms[0], now=now)
        review = await scoring.request_review(session, town.firms[0], score.id, wish="四月的作废系软件故障", now=now)
    async with in_transaction(database.app) as session:
        await act_as(session, bank.maker, now=now)
        key = await partners.mint_key(
            session, bank.maker, organisation_id=bank.id, name="核心系统", scopes=["offers:read"], now=now
        )
    for day in range(4):
        at = now + timedelta(days=day)
        async with in_transaction(database.app) as session:
            await act_as(session, agency, now=at)
            rows = [a_row("91500103000000012N", invoice_no=f"{day:08d}")]
            await sources.receive_rows(session, agency, rows, kind=DeliveryKind.VAT_INVOICE, now=at)
    return OperatorsDesk(
        maker,
        checker,
        alone,
        given_up,
        failed,
        proposed.digest,
        review.id,
        exception_id,
        agency.organisation_id,
        bank,
        key.client_id,
        at=now + timedelta(days=20),
    )


async def a_colleague(session: AsyncSession, name: str, *roles: Role, now: datetime) -> Viewer:
    """Return a new person of the operator's simulated staff."""
    user_id = await parties.create_user(
        session, email=f"{name}{SIMULATED_DOMAIN}", display_name=name, password=None, now=now
    )
    await parties.add_membership(session, user_id, PLATFORM_ID, roles, now=now)
    viewer = await queries.viewer_for(session, user_id, PLATFORM_ID)
    assert viewer is not None
    return viewer


async def retries_of(admin: asyncpg.Connection) -> list[tuple[str, str, str]]:
    """Return what was written down of retries, oldest first: the act, what was tried again, and why."""
    found = await admin.fetch(
        "SELECT action, object_id, purpose FROM audit.record WHERE action LIKE 'operations.%' ORDER BY id"
    )
    return [(row["action"], row["object_id"], row["purpose"]) for row in found]
