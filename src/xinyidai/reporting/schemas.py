"""Statistics on the wire."""

from dataclasses import asdict
from datetime import date

from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

from xinyidai.reporting.rules import Dimension, DriftRow, LendingRow, Metric, Reconciliation

_ROW: JsonDict = {
    "key": "500103",
    "name": "渝中区",
    "loans": 12,
    "firms": 11,
    "disbursed_fen": 600_000_000,
    "weighted_rate_bp": 392,
    "outstanding_fen": 512_000_000,
    "overdue_fen": 12_000_000,
    "non_performing_fen": 0,
    "first_loans": 3,
    "attested_loans": 10,
    "first_loan_share_ppm": 300_000,
    "covered_fen": 600_000_000,
    "claims_paid_fen": 0,
    "returned_fen": 0,
}
_SPAN: JsonDict = {"from_on": "2025-01-01", "to_on": "2026-01-01"}
_DRIFT: JsonDict = {
    "lender_id": "01976f2c-3333-7c55-9a53-0c7d0a5f2b11",
    "lender_name": "模拟渝城银行",
    "indications": 40,
    "chosen": 25,
    "binding_offers": 20,
    "inside": 18,
    "inside_share_ppm": 900_000,
    "median_amount_below_ppm": 0,
    "median_rate_above_bp": 0,
    "declined_after_choice": 3,
    "declined_after_choice_share_ppm": 120_000,
    "silent_after_choice": 1,
}


class LendingRowOut(BaseModel):
    """One cell of a breakdown; `GET /reports/metrics` defines each figure."""

    model_config = ConfigDict(json_schema_extra={"example": _ROW})

    key: str
    name: str | None
    loans: int
    firms: int
    disbursed_fen: int
    weighted_rate_bp: int | None
    outstanding_fen: int
    overdue_fen: int
    non_performing_fen: int
    first_loans: int
    attested_loans: int
    first_loan_share_ppm: int | None
    covered_fen: int
    claims_paid_fen: int
    returned_fen: int

    @classmethod
    def of(cls, row: LendingRow) -> "LendingRowOut":
        """Build from a row."""
        return cls(**asdict(row), first_loan_share_ppm=row.first_loan_share_ppm)


class LendingOut(BaseModel):
    """Lending of a span, its end excluded, broken down and in total."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"by": "region", **_SPAN, "rows": [_ROW], "total": {**_ROW, "key": "total"}}}
    )

    by: Dimension
    from_on: date
    to_on: date
    rows: list[LendingRowOut]
    total: LendingRowOut


class DriftRowOut(BaseModel):
    """One lender's indications and what became of them; `GET /reports/metrics` defines each figure."""

    model_config = ConfigDict(json_schema_extra={"example": _DRIFT})

    lender_id: str
    lender_name: str
    indications: int
    chosen: int
    binding_offers: int
    inside: int
    inside_share_ppm: int | None
    median_amount_below_ppm: int | None
    median_rate_above_bp: int | None
    declined_after_choice: int
    declined_after_choice_share_ppm: int | None
    silent_after_choice: int

    @classmethod
    def of(cls, row: DriftRow) -> "DriftRowOut":
        """Build from a row."""
        return cls(
            **asdict(row),
            inside_share_ppm=row.inside_share_ppm,
            declined_after_choice_share_ppm=row.declined_after_choice_share_ppm,
        )


class OfferDriftOut(BaseModel):
    """The drift between indications of a span, its end excluded, and the binding offers that followed."""

    model_config = ConfigDict(json_schema_extra={"example": {**_SPAN, "rows": [_DRIFT]}})

    from_on: date
    to_on: date
    rows: list[DriftRowOut]


class MetricOut(BaseModel):
    """The definition of a figure."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"code": "firms", "version": 1, "zh": "借款主体数", "en": "Distinct borrowers"}}
    )

    code: str
    version: int
    zh: str
    en: str

    @classmethod
    def of(cls, metric: Metric) -> "MetricOut":
        """Build from a metric."""
        return cls(**asdict(metric))


class MetricsOut(BaseModel):
    """Every figure's definition."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {"metrics": [{"code": "firms", "version": 1, "zh": "借款主体数", "en": "Distinct borrowers"}]}
        }
    )

    metrics: list[MetricOut]


class DifferenceOut(BaseModel):
    """Where a room and the ledger do not say the same."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "what": "disbursement",
                "ref": "01976f2c-8a1e-7c55-9a53-0c7d0a5f2b11",
                "room_fen": 600,
                "ledger_fen": 500,
            }
        }
    )

    what: str
    ref: str
    room_fen: int
    ledger_fen: int


class ReconciliationOut(BaseModel):
    """Loans, ledger, covers and statistics beside one another, and what differs."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "is_whole": True,
                "loans_fen": 600_000_000,
                "ledger_fen": 600_000_000,
                "reported_fen": 600_000_000,
                "covered_fen": 600_000_000,
                "covers_fen": 600_000_000,
                "underway_fen": 0,
                "claims_paid_fen": 0,
                "returned_fen": 0,
                "imbalance_fen": 0,
                "differences": [],
            }
        }
    )

    is_whole: bool
    loans_fen: int
    ledger_fen: int
    reported_fen: int
    covered_fen: int
    covers_fen: int
    underway_fen: int
    claims_paid_fen: int
    returned_fen: int
    imbalance_fen: int
    differences: list[DifferenceOut]

    @classmethod
    def of(cls, found: Reconciliation) -> "ReconciliationOut":
        """Build from a reconciliation."""
        return cls(**asdict(found), is_whole=found.is_whole)
