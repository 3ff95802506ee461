"""Deliveries on the wire."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from pydantic.config import JsonDict

from xinyidai.foundation.paging import Page
from xinyidai.sources.rules import MAX_BODY_ROWS, DeliveryKind, DeliveryReport, RejectedRow

_ROW: JsonDict = {
    "credit_code": "91500103000000012N",
    "invoice_no": "26117001",
    "direction": "out",
    "issued_on": "2025-03-05",
    "counterparty": "重庆买方有限公司",
    "net_yuan": "100.00",
    "tax_yuan": "13.00",
    "gross_yuan": "113.00",
    "status": "valid",
}
_RECORD: JsonDict = {
    "credit_code": "91500103000000012N",
    "month": "2025-03",
    "used_kwh": "1200",
    "charged_yuan": "840.00",
    "owed_yuan": "0.00",
    "is_cut_off": "false",
}
_REPORT: JsonDict = {
    "delivery_id": "01976f2c-4444-7c55-9a53-0c7d0a5f2b11",
    "kind": "vat_invoice",
    "received": 3,
    "loaded": 2,
    "rejected_rows": 1,
    "rejected": {"duplicate_row": 1},
    "flagged": {"number_reused": 1},
    "received_at": "2025-06-16T04:00:00Z",
    "is_repeat": False,
}
_REJECTED: JsonDict = {"line_no": 3, "faults": ["duplicate_row"], "content": '{"invoice_no": "26117001"}'}

InvoiceKind = Literal["vat_invoice", "correction"]
RecordItem = Literal[
    "tax_filing",
    "social_insurance",
    "housing_fund",
    "water",
    "electricity",
    "gas",
    "import_export",
    "logistics",
    "annual_report",
    "tax_grade",
    "environment",
    "self_declared",
    "registration_change",
    "permit",
    "penalty",
    "judgment",
    "enforcement",
    "tax_arrears",
    "intellectual_property",
    "science_technology",
    "tender",
    "honour_list",
    "commitment",
    "real_estate",
    "farm_entity",
    "cash_flow",
]
FieldName = Annotated[str, StringConstraints(max_length=64)]
FieldText = Annotated[str, StringConstraints(max_length=400)] | None


class InvoiceIn(BaseModel):
    """One invoice as text. What is wrong with a field is said in the report, by row, and does not refuse the call."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": _ROW})

    credit_code: str | None = Field(None, max_length=64, description="The firm's unified social credit code")
    invoice_no: str | None = Field(None, max_length=200, description="Number of the invoice (发票号码)")
    direction: str | None = Field(None, max_length=20, description="in (进项) or out (销项)")
    issued_on: str | None = Field(None, max_length=40, description="Day of issue (开票日期), as 2025-03-05")
    counterparty: str | None = Field(None, max_length=400, description="The other side: seller or buyer")
    net_yuan: str | None = Field(None, max_length=64, description="Amount without tax (金额), plain decimal notation")
    tax_yuan: str | None = Field(None, max_length=64, description="Tax (税额)")
    gross_yuan: str | None = Field(None, max_length=64, description="Amount with tax (价税合计)")
    status: str | None = Field(None, max_length=20, description="valid (有效发票) or void (作废发票)")


class InvoicesIn(BaseModel):
    """Up to a thousand invoices, new ones or corrections of delivered ones."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"kind": "vat_invoice", "rows": [_ROW]}})

    kind: InvoiceKind = Field("vat_invoice", description="New invoices, or corrections")
    rows: list[InvoiceIn] = Field(min_length=1, max_length=MAX_BODY_ROWS, description="The invoices")


class RecordsIn(BaseModel):
    """Up to a thousand records of one item, as text. What is wrong with a field is said in the report, by row."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"item": "electricity", "rows": [_RECORD]}})

    item: RecordItem = Field(description="The catalogue item")
    rows: list[dict[FieldName, FieldText]] = Field(
        min_length=1, max_length=MAX_BODY_ROWS, description="Records by the names of the item's fields"
    )


class DeliveryOut(BaseModel):
    """What became of a delivery: received rows are exactly the loaded and the rejected ones."""

    model_config = ConfigDict(json_schema_extra={"example": _REPORT})

    delivery_id: UUID
    kind: DeliveryKind
    received: int
    loaded: int
    rejected_rows: int
    rejected: dict[str, int]
    flagged: dict[str, int]
    received_at: datetime
    is_repeat: bool

    @classmethod
    def of(cls, report: DeliveryReport) -> "DeliveryOut":
        """Build from a report."""
        return cls(
            delivery_id=report.delivery_id,
            kind=report.kind,
            received=report.received,
            loaded=report.loaded,
            rejected_rows=report.rejected_rows,
            rejected=dict(report.rejected),
            flagged=dict(report.flagged),
            received_at=report.received_at,
            is_repeat=report.is_repeat,
        )


class DeliveryPageOut(BaseModel):
    """A page of deliveries and the cursor of the next."""

    model_config = ConfigDict(json_schema_extra={"example": {"deliveries": [_REPORT], "next_cursor": None}})

    deliveries: list[DeliveryOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[DeliveryReport]) -> "DeliveryPageOut":
        """Build from a page."""
        return cls(deliveries=[DeliveryOut.of(row) for row in page.rows], next_cursor=page.next_cursor)


class RejectedRowOut(BaseModel):
    """A row kept aside: where it stood (the header and blank lines not counted), every fault, what it said."""

    model_config = ConfigDict(json_schema_extra={"example": _REJECTED})

    line_no: int
    faults: list[str]
    content: str

    @classmethod
    def of(cls, row: RejectedRow) -> "RejectedRowOut":
        """Build from a rejected row."""
        return cls(line_no=row.line_no, faults=list(row.faults), content=row.content)


class RejectedPageOut(BaseModel):
    """A page of rejected rows and the cursor of the next."""

    model_config = ConfigDict(json_schema_extra={"example": {"rows": [_REJECTED], "next_cursor": None}})

    rows: list[RejectedRowOut]
    next_cursor: str | None

    @classmethod
    def of(cls, page: Page[RejectedRow]) -> "RejectedPageOut":
        """Build from a page."""
        return cls(rows=[RejectedRowOut.of(row) for row in page.rows], next_cursor=page.next_cursor)
