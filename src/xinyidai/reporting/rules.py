"""What is counted and how: metric definitions, dimensions, rows. Pure."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from xinyidai.foundation.errors import Refusal
from xinyidai.foundation.money import WHOLE_PPM, Fen

MAX_DAYS = 3_700
NON_PERFORMING = ("substandard", "doubtful", "loss")


class Dimension(StrEnum):
    """By what lending is broken down."""

    MONTH = "month"
    LENDER = "lender"
    REGION = "region"
    INDUSTRY = "industry"
    RISK_CLASS = "risk_class"


class SpanRefused(Refusal):
    """The span of days is empty, or longer than ten years."""

    code = "report_span_refused"
    status = 422
    title_zh = "统计区间必须不为空且不超过 {most_days} 天"
    title_en = "The span must not be empty nor longer than {most_days} days"


@dataclass(frozen=True)
class Metric:
    """A number's definition: what is in it and what is not. A change of meaning is a new version."""

    code: str
    version: int
    zh: str
    en: str


METRICS = (
    Metric(
        "loans",
        1,
        "统计区间内放款的贷款笔数（按放款日，上海时间，左闭右开）",
        "Loans whose disbursement day lies in the span (Shanghai days, end excluded)",
    ),
    Metric("firms", 1, "上述贷款的借款主体数，去重", "Distinct borrowers of those loans"),
    Metric("disbursed_fen", 1, "上述贷款的放款本金合计，分", "Principal disbursed on those loans, in fen"),
    Metric(
        "weighted_rate_bp",
        1,
        "上述贷款按放款本金加权的平均年利率，基点，四舍五入；无放款时为空",
        "Mean yearly rate of those loans weighted by principal disbursed, basis points, half up; none without a loan",
    ),
    Metric(
        "outstanding_fen",
        1,
        "上述贷款当前未还本金，已扣除还款与追偿",
        "Principal still owed on those loans now, repayments and recoveries taken off",
    ),
    Metric(
        "overdue_fen",
        1,
        "其中当前逾期一天以上（含已代偿）的未还本金",
        "Of that, principal of loans now past due by a day or more, compensated ones included",
    ),
    Metric(
        "non_performing_fen",
        1,
        "其中五级分类后三类的未还本金（仅按逾期天数下限）",
        "Of that, principal of loans in the last three classes, by days past due alone",
    ),
    Metric(
        "first_loans",
        1,
        "放款银行在放款时证明为首贷户的贷款笔数",
        "Loans that the lender attested as the borrower's first, at disbursement",
    ),
    Metric(
        "attested_loans",
        1,
        "放款银行就是否首贷户作出证明的贷款笔数，首贷占比的分母",
        "Loans with an attestation either way: the denominator of the first-loan share",
    ),
    Metric(
        "covered_fen",
        1,
        "纳入风险分担的放款本金",
        "Principal disbursed under a risk-sharing agreement",
    ),
    Metric(
        "claims_paid_fen",
        1,
        "基金与担保机构已支付的代偿，未扣追偿",
        "Paid by fund and guarantor on claims, recoveries not taken off",
    ),
    Metric(
        "returned_fen",
        1,
        "追偿后已返还基金与担保机构的本金",
        "Principal that recoveries returned to fund and guarantor",
    ),
)

ACTIVITY_METRICS = (
    Metric("demands", 1, "统计区间内提交的融资需求数（按提交日）", "Demands submitted in the span, by the day"),
    Metric(
        "dispatches",
        1,
        "统计区间内派送给银行的需求数（一家银行一次）",
        "Demands sent to a bank in the span, one a bank",
    ),
    Metric(
        "answered_in_time",
        1,
        "其中银行在时限内答复（意向、报价或婉拒）的数量",
        "Those that the bank answered in time: by an indication, an offer or a refusal",
    ),
    Metric(
        "timed_out",
        1,
        "其中银行超过时限未答复的数量（含已转派其他银行的）",
        "Those that the bank let time out, also where another bank was asked instead",
    ),
    Metric("claims_filed", 1, "统计区间内提出的代偿申请数", "Claims filed in the span"),
    Metric(
        "claims_paid", 1, "统计区间内已支付的代偿申请数（按支付日）", "Claims paid in the span, by the day of payment"
    ),
    Metric(
        "claims_paid_fen",
        1,
        "统计区间内基金与担保机构支付的代偿，未扣追偿（按支付日）",
        "Paid on claims by fund and guarantor in the span, by the day of payment, recoveries not taken off",
    ),
    Metric("consents_given", 1, "统计区间内给出的授权数", "Consents given in the span"),
    Metric(
        "consents_revoked", 1, "统计区间内撤回的授权数（不论何时给出）", "Consents revoked in the span, whenever given"
    ),
)
"""What a year of the platform's work is told by, beside lending."""

DRIFT_METRICS = (
    Metric(
        "indications",
        1,
        "统计区间内作出的意向报价数（按作出日，上海时间，左闭右开）；以下各项均属这些意向报价",
        "Indications made in the span (Shanghai days, end excluded); all that follows belongs to these",
    ),
    Metric("chosen", 1, "其中被融资主体选定、取得征信查询授权的数量", "Those that the firm chose, with its authority"),
    Metric(
        "binding_offers",
        1,
        "选定后经双人签发的正式报价数，撤回后再报的各计一次",
        "Binding offers that two people issued afterwards; one made again after a withdrawal counts again",
    ),
    Metric(
        "inside",
        1,
        "正式报价金额不低于意向下限、利率不高于意向上限、期限与还款方式在意向之内的数量",
        "Binding offers with an amount not below, a rate not above, term and repayment kind within the range",
    ),
    Metric(
        "inside_share_ppm",
        1,
        "意向之内的正式报价占全部正式报价的比例，向下取整",
        "Binding offers inside the range among all binding offers, rounded down",
    ),
    Metric(
        "median_amount_below_ppm",
        1,
        "正式报价金额低于意向下限部分占下限之比的中位数（偶数时取较小者；未低于的计零）",
        "Median part of the range's lower end by which amounts lie below it (lower middle; not below is zero)",
    ),
    Metric(
        "median_rate_above_bp",
        1,
        "正式报价利率高于意向上限的基点数的中位数（偶数时取较小者；未高于的计零）",
        "Median basis points by which rates lie above the range (lower middle; not above is zero)",
    ),
    Metric(
        "declined_after_choice",
        1,
        "选定后被放款机构拒绝的数量",
        "Indications that were chosen and that the lender then declined",
    ),
    Metric(
        "silent_after_choice",
        1,
        "选定后逾期未作正式报价的数量",
        "Indications that were chosen and that the lender then let time out",
    ),
    Metric(
        "declined_after_choice_share_ppm",
        1,
        "选定后被拒绝的数量占被选定数量的比例，向下取整",
        "Declined after the choice among the chosen, rounded down",
    ),
)


@dataclass(frozen=True)
class DriftRow:
    """How far one lender's binding offers lie from its indications. Medians are None without a binding offer."""

    lender_id: str
    lender_name: str
    indications: int
    chosen: int
    binding_offers: int
    inside: int
    median_amount_below_ppm: int | None
    median_rate_above_bp: int | None
    declined_after_choice: int
    silent_after_choice: int

    @property
    def inside_share_ppm(self) -> int | None:
        """Return the share inside the range, rounded down; None without a binding offer."""
        return self.inside * WHOLE_PPM // self.binding_offers if self.binding_offers else None

    @property
    def declined_after_choice_share_ppm(self) -> int | None:
        """Return the share declined after the choice, rounded down; None when nothing was chosen."""
        return self.declined_after_choice * WHOLE_PPM // self.chosen if self.chosen else None


@dataclass(frozen=True)
class LendingRow:
    """One cell of a breakdown. `name` is None where the key has no name on that day."""

    key: str
    name: str | None
    loans: int
    firms: int
    disbursed_fen: Fen
    weighted_rate_bp: int | None
    outstanding_fen: Fen
    overdue_fen: Fen
    non_performing_fen: Fen
    first_loans: int
    attested_loans: int
    covered_fen: Fen
    claims_paid_fen: Fen
    returned_fen: Fen

    @property
    def first_loan_share_ppm(self) -> int | None:
        """Return first loans among the attested, rounded down; None when nothing was attested."""
        return self.first_loans * WHOLE_PPM // self.attested_loans if self.attested_loans else None


@dataclass(frozen=True)
class Activity:
    """What happened on the platform in a span: one number for each of `ACTIVITY_METRICS`."""

    demands: int
    dispatches: int
    answered_in_time: int
    timed_out: int
    claims_filed: int
    claims_paid: int
    claims_paid_fen: Fen
    consents_given: int
    consents_revoked: int


@dataclass(frozen=True)
class Difference:
    """Where a room and the ledger do not say the same."""

    what: str
    ref: str
    room_fen: int
    ledger_fen: int


@dataclass(frozen=True)
class Reconciliation:
    """The totals of loans, ledger, covers and statistics, and every difference found."""

    loans_fen: Fen
    ledger_fen: Fen
    reported_fen: Fen
    covered_fen: Fen
    covers_fen: Fen
    underway_fen: Fen
    claims_paid_fen: Fen
    returned_fen: Fen
    imbalance_fen: Fen
    differences: tuple[Difference, ...]

    @property
    def is_whole(self) -> bool:
        """Say whether everything agrees."""
        agree = self.loans_fen == self.ledger_fen == self.reported_fen and self._is_covered
        return agree and not self.imbalance_fen and not self.differences

    @property
    def _is_covered(self) -> bool:
        return self.covered_fen == self.covers_fen + self.underway_fen


def check_span(from_on: date, to_on: date) -> None:
    """Refuse an empty or endless span with `SpanRefused`."""
    if not 0 < (to_on - from_on).days <= MAX_DAYS:
        raise SpanRefused(most_days=MAX_DAYS)
