"""The doors of sources: an agency delivers invoices and looks at what became of them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar
from uuid import UUID

from litestar import Router, get, post
from litestar.di import NamedDependency
from litestar.openapi.spec import Example, OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import FromPath, FromQuery, JSONBody, RawBody
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.guards import requires
from xinyidai.access.rules import OrganisationKind, Role, Viewer
from xinyidai.foundation.settings import settings
from xinyidai.sources import queries, service
from xinyidai.sources.queries import pulled
from xinyidai.sources.queries.breakers import breakers
from xinyidai.sources.routes import derived, offices
from xinyidai.sources.rules import COLUMNS, MAX_BODY_BYTES, DeliveryKind
from xinyidai.sources.rules.pulls import PullSource
from xinyidai.sources.rules.records.kinds import KINDS
from xinyidai.sources.schemas import (
    DeliveryOut,
    DeliveryPageOut,
    InvoiceKind,
    InvoicesIn,
    RecordItem,
    RecordsIn,
    RejectedPageOut,
)
from xinyidai.sources.schemas.pulls import (
    BreakerOut,
    PermissionIn,
    PullCountOut,
    PullIn,
    PullOut,
    PullPageOut,
    SenderOut,
    StandingOut,
)
from xinyidai.sources.service.connecting import connected_sources

BY_SENDER = requires(
    OrganisationKind.AGENCY, OrganisationKind.OPERATOR, roles=(Role.OFFICER, Role.ADMIN), scope=service.SCOPE
)
BY_READER = requires(
    OrganisationKind.AGENCY, OrganisationKind.OPERATOR, roles=(Role.OFFICER, Role.ADMIN), scope="sources:read"
)
BY_FIRM = requires(
    OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER, roles=(Role.OWNER, Role.OFFICER), scope=service.SCOPE
)
BY_OPERATOR = requires(OrganisationKind.OPERATOR)
BY_FIRM_READING = requires(OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER, scope="sources:read")
RECENT = timedelta(days=30)
_CSV_EXAMPLE = (
    ",".join(COLUMNS) + "\n91500103000000012N,26117001,out,2025-03-05,重庆买方有限公司,100.00,13.00,113.00,valid\n"
)


_RECORDS_EXAMPLE = ",".join(KINDS["electricity"].delivered) + "\n91500103000000012N,2025-03,1200,840.00,0.00,false\n"


@dataclass
class _CsvOperation(Operation):
    """Says in the API description that the body is a CSV file, which no parameter of the handler can."""

    example: ClassVar[str] = _CSV_EXAMPLE

    def __post_init__(self) -> None:
        self.request_body = RequestBody(
            description="UTF-8, a header line with the names of the columns, every line with its end",
            required=True,
            content={
                "text/csv": OpenAPIMediaType(
                    schema=Schema(type=OpenAPIType.STRING), examples={"one row": Example(value=self.example)}
                )
            },
        )


@dataclass
class _RecordsAsCsv(_CsvOperation):
    """The same with a row of another item."""

    example: ClassVar[str] = _RECORDS_EXAMPLE


@post(
    "/vat-invoices",
    operation_id="DeliverInvoices",
    summary="Deliver VAT invoices",
    description="Up to 1,000 rows. The answer counts what was loaded and, by fault, what was kept aside. The same rows"
    " again get the first answer.",
    guards=[BY_SENDER],
)
async def deliver_invoices(
    data: JSONBody[InvoicesIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> DeliveryOut:
    """Take rows in."""
    rows = [row.model_dump() for row in data.rows]
    return DeliveryOut.of(await service.receive_rows(session, viewer, rows, kind=DeliveryKind(data.kind), now=now))


@post(
    "/vat-invoices/csv",
    operation_id="DeliverInvoicesAsCsv",
    summary="Deliver VAT invoices as CSV",
    description="A CSV file of at most 1 MiB; larger files go by file drop. Checked as DeliverInvoices does.",
    guards=[BY_SENDER],
    operation_class=_CsvOperation,
    request_max_body_size=MAX_BODY_BYTES,
)
async def deliver_invoices_as_csv(
    body: RawBody,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
    kind: FromQuery[InvoiceKind] = "vat_invoice",
) -> DeliveryOut:
    """Take a CSV file in."""
    return DeliveryOut.of(await service.receive_csv(session, viewer, body, kind=DeliveryKind(kind), now=now))


@post(
    "/records",
    operation_id="DeliverRecords",
    summary="Deliver records of an item",
    description="Up to 1,000 rows with the fields of the item in the catalogue; amounts in yuan. A record that says"
    " something else than an earlier one of the same name replaces it; one that says the same leaves nothing.",
    guards=[BY_SENDER],
)
async def deliver_records(
    data: JSONBody[RecordsIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> DeliveryOut:
    """Take rows in."""
    kind = DeliveryKind(data.item)
    return DeliveryOut.of(await service.receive_rows(session, viewer, data.rows, kind=kind, now=now))


@post(
    "/records/csv",
    operation_id="DeliverRecordsAsCsv",
    summary="Deliver records of an item as CSV",
    description="A CSV file of at most 1 MiB; larger files go by file drop. Checked as DeliverRecords does.",
    guards=[BY_SENDER],
    operation_class=_RecordsAsCsv,
    request_max_body_size=MAX_BODY_BYTES,
)
async def deliver_records_as_csv(
    body: RawBody,
    item: FromQuery[RecordItem],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> DeliveryOut:
    """Take a CSV file in."""
    return DeliveryOut.of(await service.receive_csv(session, viewer, body, kind=DeliveryKind(item), now=now))


@get(
    "/deliveries",
    operation_id="ListDeliveries",
    summary="My deliveries",
    description="What one's own organisation delivered, in order of arrival.",
    guards=[BY_READER],
)
async def list_deliveries(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    cursor: FromQuery[str | None] = None,
    limit: FromQuery[int] = 50,
) -> DeliveryPageOut:
    """List."""
    return DeliveryPageOut.of(await queries.deliveries(session, viewer, cursor=cursor, limit=limit))


@get(
    "/deliveries/{delivery_id:uuid}",
    operation_id="ShowDelivery",
    summary="One delivery",
    description="Its report, to its sender alone.",
    guards=[BY_READER],
)
async def show_delivery(
    delivery_id: FromPath[UUID], viewer: NamedDependency[Viewer], session: NamedDependency[AsyncSession]
) -> DeliveryOut:
    """Show."""
    return DeliveryOut.of(await queries.delivery(session, viewer, delivery_id))


@get(
    "/deliveries/{delivery_id:uuid}/rejected-rows",
    operation_id="ListRejectedRows",
    summary="Rows kept aside",
    description="The rows of a delivery that were not taken in, each with every fault, for the sender to correct.",
    guards=[BY_READER],
)
async def list_rejected_rows(
    delivery_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    cursor: FromQuery[str | None] = None,
    limit: FromQuery[int] = 50,
) -> RejectedPageOut:
    """List rejected rows."""
    return RejectedPageOut.of(await queries.rejected_rows(session, viewer, delivery_id, cursor=cursor, limit=limit))


@post(
    "/tax/pulls",
    operation_id="AskTaxPull",
    summary="Fetch my invoices from the tax bureau",
    description="With the code that the bureau gave when the firm said yes there, and under the firm's consent to the"
    " platform. Done in the background: ask for the pull's state. The same code again answers with the same pull.",
    guards=[BY_FIRM],
    status_code=202,
)
async def ask_tax_pull(
    data: JSONBody[PullIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> PullOut:
    """Ask."""
    return PullOut.of(await service.ask_pull(session, viewer, data.consent_code, now=now))


@post(
    "/{source:str}/pulls",
    operation_id="AskPull",
    summary="Fetch my data from a source",
    description="All items of the source that the firm's consent to the platform covers, with the number or code that"
    " the office gave the firm. Done in the background; each item ends for itself. The same permission again answers"
    " with the same pull.",
    guards=[BY_FIRM],
    status_code=202,
)
async def ask_pull(
    source: FromPath[PullSource],
    data: JSONBody[PermissionIn],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> PullOut:
    """Ask."""
    return PullOut.of(await service.ask_pull(session, viewer, data.permission, source=source, now=now))


@get(
    "/pulls",
    operation_id="ListPulls",
    summary="My pulls",
    description="What was fetched for one's own firm, in the order it was asked for.",
    guards=[BY_FIRM_READING],
)
async def list_pulls(
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    cursor: FromQuery[str | None] = None,
    limit: FromQuery[int] = 50,
) -> PullPageOut:
    """List pulls."""
    return PullPageOut.of(await pulled.pulls(session, viewer, cursor=cursor, limit=limit))


@get(
    "/pulls/{pull_id:uuid}",
    operation_id="ShowPull",
    summary="One pull",
    description="How far it is, when it tries again, or why it ended without data; to its firm alone.",
    guards=[BY_FIRM_READING],
)
async def show_pull(
    pull_id: FromPath[UUID], viewer: NamedDependency[Viewer], session: NamedDependency[AsyncSession]
) -> PullOut:
    """Show a pull."""
    return PullOut.of(await pulled.pull(session, viewer, pull_id))


@get(
    "/standing",
    operation_id="ShowSourcesStanding",
    summary="How the sources stand",
    description="Who delivers, with counts and whether the sender is behind its own rhythm, how the pulls of the last"
    " 30 days stand, with reasons, and whether each source is connected and answers. Counts only.",
    guards=[BY_OPERATOR],
)
async def show_standing(
    viewer: NamedDependency[Viewer], session: NamedDependency[AsyncSession], now: NamedDependency[datetime]
) -> StandingOut:
    """Show how the sources stand."""
    connected = connected_sources(settings())
    return StandingOut(
        senders=[SenderOut.of(one) for one in await queries.senders(session, viewer, now=now)],
        pulls=[PullCountOut.of(one) for one in await pulled.pull_counts(session, viewer, since=now - RECENT)],
        sources=[BreakerOut.of(one, is_connected=one.source in connected) for one in await breakers(session)],
    )


@get(
    "/senders/{sender_id:uuid}/deliveries",
    operation_id="ListSendersDeliveries",
    summary="What an organisation delivered",
    description="The reports of its deliveries, newest first; the rows kept aside are for the sender alone.",
    guards=[BY_OPERATOR],
)
async def list_senders_deliveries(
    sender_id: FromPath[UUID],
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    cursor: FromQuery[str | None] = None,
    limit: FromQuery[int] = 50,
) -> DeliveryPageOut:
    """List a sender's deliveries."""
    found = await queries.deliveries_of_sender(session, viewer, sender_id, cursor=cursor, limit=limit)
    return DeliveryPageOut.of(found)


router = Router(
    path="/sources",
    route_handlers=[
        deliver_invoices,
        deliver_invoices_as_csv,
        deliver_records,
        deliver_records_as_csv,
        list_deliveries,
        show_delivery,
        list_rejected_rows,
        ask_tax_pull,
        ask_pull,
        list_pulls,
        show_pull,
        show_standing,
        list_senders_deliveries,
        *offices.HANDLERS,
        *derived.ROUTES,
    ],
    tags=["sources"],
)
