"""Deliveries: what comes in, what a report says of it, and why a whole file may be refused."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntFlag, StrEnum
from typing import NewType
from uuid import UUID

from xinyidai.foundation.errors import Refusal

DeliveryId = NewType("DeliveryId", UUID)

ITEM = "vat_invoice"
MAX_FILE_BYTES = 2 * 1024**3
MAX_BODY_BYTES = 1024**2
MAX_BODY_ROWS = 1_000
MAX_ROWS = 20_000_000
MAX_CORRECTIONS = 100_000
MAX_CONTENT = 2_000
CHUNK_ROWS = 100_000
COLUMNS = (
    "credit_code",
    "invoice_no",
    "direction",
    "issued_on",
    "counterparty",
    "net_yuan",
    "tax_yuan",
    "gross_yuan",
    "status",
)


class DeliveryKind(StrEnum):
    """New invoices, invoices that replace what was delivered before, or the records of another item."""

    VAT_INVOICE = "vat_invoice"
    CORRECTION = "correction"
    TAX_FILING = "tax_filing"
    SOCIAL_INSURANCE = "social_insurance"
    HOUSING_FUND = "housing_fund"
    WATER = "water"
    ELECTRICITY = "electricity"
    GAS = "gas"
    IMPORT_EXPORT = "import_export"
    LOGISTICS = "logistics"
    ANNUAL_REPORT = "annual_report"
    TAX_GRADE = "tax_grade"
    ENVIRONMENT = "environment"
    SELF_DECLARED = "self_declared"
    REGISTRATION_CHANGE = "registration_change"
    PERMIT = "permit"
    PENALTY = "penalty"
    JUDGMENT = "judgment"
    ENFORCEMENT = "enforcement"
    TAX_ARREARS = "tax_arrears"
    INTELLECTUAL_PROPERTY = "intellectual_property"
    SCIENCE_TECHNOLOGY = "science_technology"
    TENDER = "tender"
    HONOUR_LIST = "honour_list"
    COMMITMENT = "commitment"
    REAL_ESTATE = "real_estate"
    FARM_ENTITY = "farm_entity"
    CASH_FLOW = "cash_flow"

    @property
    def item_code(self) -> str:
        """Return the catalogue item whose rows are delivered."""
        return ITEM if self is DeliveryKind.CORRECTION else self.value


class FileFormat(StrEnum):
    """How the rows of a delivery are written."""

    CSV = "csv"
    PARQUET = "parquet"
    JSON = "json"
    XLSX = "xlsx"


class Fault(StrEnum):
    """Why a row is kept aside. A row carries every fault it has; a duplicate is judged only when it has no other."""

    UNCLOSED_QUOTE = "unclosed_quote"
    WRONG_COLUMN_COUNT = "wrong_column_count"
    MISSING_FIELD = "missing_field"
    UNKNOWN_FIRM = "unknown_firm"
    NO_CONSENT = "no_consent"
    BAD_DATE = "bad_date"
    INVOICE_IN_FUTURE = "invoice_in_future"
    BAD_DIRECTION = "bad_direction"
    BAD_STATUS = "bad_status"
    BAD_AMOUNT = "bad_amount"
    AMOUNT_OUT_OF_RANGE = "amount_out_of_range"
    MORE_THAN_TWO_DECIMALS = "more_than_two_decimals"
    NUMBER_TOO_LONG = "number_too_long"
    TEXT_TOO_LONG = "text_too_long"
    BAD_CHARACTER = "bad_character"
    DUPLICATE_ROW = "duplicate_row"
    NOTHING_TO_CORRECT = "nothing_to_correct"
    DELIVERED_BY_ANOTHER = "delivered_by_another"
    AMBIGUOUS_CORRECTION = "ambiguous_correction"
    BAD_NUMBER = "bad_number"
    BAD_CODE = "bad_code"
    BAD_FLAG = "bad_flag"
    PERIOD_IN_FUTURE = "period_in_future"
    CONFLICTING_ROW = "conflicting_row"


UNREAD = frozenset({Fault.UNKNOWN_FIRM, Fault.NO_CONSENT})
"""Faults of rows whose content is thrown away unread: nobody allowed the platform to keep a word of them."""


class Flag(IntFlag):
    """What is odd about a fact that was kept all the same."""

    NONE = 0
    TOTAL_MISMATCH = 1
    NUMBER_REUSED = 2


FLAG_NAMES = {Flag.TOTAL_MISMATCH: "total_mismatch", Flag.NUMBER_REUSED: "number_reused"}
"""What a report calls the flags it counts."""


@dataclass(frozen=True)
class DeliveryReport:
    """What became of a delivery. Received rows are exactly the loaded and the rejected ones.

    `rejected` counts rows by fault, and a row with two faults in both; `flagged` counts loaded rows by flag.
    """

    delivery_id: DeliveryId
    kind: DeliveryKind
    received: int
    loaded: int
    rejected_rows: int
    rejected: Mapping[str, int]
    flagged: Mapping[str, int]
    received_at: datetime
    is_repeat: bool


@dataclass(frozen=True)
class RejectedRow:
    """A row kept aside, as its sender may see it: where it stood, what is wrong with it, what it said."""

    line_no: int
    faults: tuple[str, ...]
    content: str


class FileMissing(Refusal):
    """There is no such file, or it is not a plain file."""

    code = "file_missing"
    status = 404
    title_zh = "文件不存在，或不是普通文件"
    title_en = "There is no such file, or it is not a plain one"


class FileTooLarge(Refusal):
    """More bytes or rows than one delivery may have; found out before anything is read."""

    code = "file_too_large"
    status = 413
    title_zh = "文件过大：最多 {most} {unit}"
    title_en = "The file is too large: at most {most} {unit}"


class FileEmpty(Refusal):
    """No bytes, or not one row."""

    code = "file_empty"
    status = 422
    title_zh = "文件为空"
    title_en = "The file is empty"


class FileCutInHalf(Refusal):
    """The end of the file is missing: no closing mark, an unfinished last line, or fewer rows than announced."""

    code = "file_cut_in_half"
    status = 422
    title_zh = "文件不完整：{why}"
    title_en = "The file is not whole: {why}"


class FileWrongEncoding(Refusal):
    """A CSV file that is not UTF-8."""

    code = "file_wrong_encoding"
    status = 422
    title_zh = "文件不是 UTF-8 编码（第 {at} 字节处）"
    title_en = "The file is not UTF-8 (at byte {at})"


class FileWithoutColumn(Refusal):
    """A column that every row needs is not in the file."""

    code = "file_without_column"
    status = 422
    title_zh = "文件缺少列：{columns}"
    title_en = "The file lacks columns: {columns}"


class FieldUnknown(Refusal):
    """A row names a field that rows of this item do not have: nothing is guessed from it."""

    code = "field_unknown"
    status = 422
    title_zh = "该信息项没有字段：{fields}"
    title_en = "The item has no field {fields}"


class FileUnreadable(Refusal):
    """Not the format it says it is, or broken inside."""

    code = "file_unreadable"
    status = 422
    title_zh = "文件无法按 {format} 格式读取"
    title_en = "The file cannot be read as {format}"


class FileChanged(Refusal):
    """Somebody wrote to the file while it was being read."""

    code = "file_changed"
    status = 409
    title_zh = "读取过程中文件发生变化，请重新提交"
    title_en = "The file changed while it was read; deliver it again"


class DeliveryInProgress(Refusal):
    """Another delivery of the same item is being loaded; nothing was taken in."""

    code = "delivery_in_progress"
    status = 409
    title_zh = "另一批数据正在入库，请稍后重试"
    title_en = "Another delivery is being loaded; try again later"


class ConsentTakenBack(Refusal):
    """A firm took its consent back while its invoices were being read; nothing of the delivery was kept."""

    code = "consent_taken_back"
    status = 409
    title_zh = "读取过程中有企业撤回授权，请重新提交"
    title_en = "A firm took its consent back while the file was read; deliver it again"
