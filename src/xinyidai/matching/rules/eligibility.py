"""Which products fit an applicant: every open product against every filter, each failing clause named.

The decision is a pure function of two things that are both kept: the *vector* (what was known of the applicant and how
each lender stood) and the *shelf* (the open products' terms, by digest). `decide` is what the service runs and what
the replay runs again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from xinyidai.demands.rules import RepaymentKind
from xinyidai.foundation.canonical import Json
from xinyidai.matching.rules.costs import total_interest_fen
from xinyidai.matching.rules.ranking import Candidate, Ranked, lot_of, rank
from xinyidai.products.rules import Clause, failing_clauses

RULES_VERSION = "match-2"
"""Changed with every change of meaning below, so that a replay knows which rules decided."""

REPLAYABLE = frozenset({"match-1", RULES_VERSION})
"""match-1 drew lots from ids: its vectors hold no business keys, and `lot_for` then draws as it did."""

WHOLE_PPM = 1_000_000

Fact = int | str | None
Facts = Mapping[str, Fact]
"""What is known of an applicant, by field: demand terms, party facts, score, indicators scaled to integers."""


class Filter(StrEnum):
    """The filters that every product has besides its own clauses."""

    AMOUNT = "amount_outside_product"
    TERM = "term_outside_product"
    REPAYMENT = "repayment_kind_not_offered"
    APPLICANT_KIND = "applicant_kind_not_served"
    REGION = "region_not_served"
    INDUSTRY = "industry_not_served"
    CONSENT = "no_consent_for_lender"
    LINE = "no_open_line"
    LINE_CAPACITY = "line_capacity_short"
    LINE_FIRM_CAP = "line_firm_cap_short"
    LINE_RATE = "line_rate_below_product"
    ASKED = "lender_asked_before"


SENTENCES: Mapping[str, tuple[str, str]] = {
    Filter.AMOUNT: ("融资金额 {got} 分不在产品额度 {wanted} 分之内", "Amount {got} fen is outside {wanted} fen"),
    Filter.TERM: ("融资期限 {got} 个月不在产品期限 {wanted} 个月之内", "Term {got} months is outside {wanted} months"),
    Filter.REPAYMENT: ("产品还款方式为 {wanted}，不含 {got}", "The product repays by {wanted}, not {got}"),
    Filter.APPLICANT_KIND: ("产品面向 {wanted}，不含 {got}", "The product serves {wanted}, not {got}"),
    Filter.REGION: ("产品服务区域为 {wanted}，不含 {got}", "The product serves regions {wanted}, not {got}"),
    Filter.INDUSTRY: ("产品服务行业为 {wanted}，不含 {got}", "The product serves industries {wanted}, not {got}"),
    Filter.CONSENT: ("尚未授权该机构查询所需信息", "No valid consent lets this lender look into what it needs"),
    Filter.LINE: ("该机构的风险分担额度线状态为 {got}", "The lender's risk-sharing line is {got}"),
    Filter.LINE_CAPACITY: (
        "风险分担额度剩余 {wanted} 分，本笔需占用 {got} 分",
        "The line has {wanted} fen left and this loan needs {got} fen",
    ),
    Filter.LINE_FIRM_CAP: (
        "分担协议单户上限为 {wanted} 分，本笔为 {got} 分",
        "The line takes {wanted} fen a firm; this is {got}",
    ),
    Filter.LINE_RATE: (
        "分担协议利率上限 {wanted} bp 低于产品最低利率 {got} bp",
        "The line allows at most {wanted} bp and the product starts at {got} bp",
    ),
    Filter.ASKED: ("该机构已收到过本需求", "This lender was asked about this demand before"),
}
CLAUSE_SENTENCE = (
    "条件 {field} {operator} {wanted}，实际为 {got}",
    "Condition {field} {operator} {wanted}, found {got}",
)


@dataclass(frozen=True)
class OnShelf:
    """The terms of an open product that matching looks at. Empty lists of codes mean everywhere, everyone."""

    product_id: str
    code: str
    version: int
    lender_id: str
    min_amount_fen: int
    max_amount_fen: int
    min_term_months: int
    max_term_months: int
    min_rate_bp: int
    max_rate_bp: int
    repayment_kinds: tuple[str, ...]
    applicant_kinds: tuple[str, ...]
    region_codes: tuple[str, ...]
    industry_codes: tuple[str, ...]
    requires_cover: bool
    answer_days: int | None
    clauses: tuple[Clause, ...]


@dataclass(frozen=True)
class Standing:
    """How a lender stood toward this demand at the moment of the decision.

    `line` is the state of its risk-sharing line, ``"none"`` without one. The line's numbers are zero then.
    """

    lender_id: str
    has_consent: bool
    was_asked: bool = False
    line: str = "none"
    line_available_fen: int = 0
    line_covered_ppm: int = 0
    line_firm_cap_fen: int = 0
    line_max_rate_bp: int = 0
    grant_share_ppm: int | None = None
    lender_code: str | None = None


@dataclass(frozen=True)
class Failure:
    """One failing clause: which, on what, what was wanted and what was found."""

    code: str
    field: str
    operator: str
    wanted: Json
    got: Json

    def sentence(self, language: str) -> str:
        """Return the failure in one sentence, in ``"zh"`` or ``"en"``."""
        chinese, english = SENTENCES.get(self.code, CLAUSE_SENTENCE)
        template = chinese if language == "zh" else english
        return template.format(
            field=self.field, operator=self.operator, wanted=_shown(self.wanted), got=_shown(self.got)
        )


@dataclass(frozen=True)
class Verdict:
    """A product and every clause of it that the applicant fails; none means that it fits."""

    product: OnShelf
    failures: tuple[Failure, ...]

    @property
    def is_eligible(self) -> bool:
        """Say whether nothing fails."""
        return not self.failures


@dataclass(frozen=True)
class Decision:
    """What a matching comes to: the eligible in their order, the rest with every reason."""

    ranked: tuple[Ranked, ...]
    refused: tuple[Verdict, ...]


def judge(product: OnShelf, facts: Facts, standing: Standing) -> Verdict:
    """Return every failing filter and clause of one product, in a fixed order; none stops the rest."""
    own = tuple(
        Failure(failed.code, failed.field, str(failed.operator), _json(failed.wanted), _json(failed.got))
        for failed in failing_clauses(product.clauses, facts)
    )
    return Verdict(
        product, (*_terms(product, facts), *_served(product, facts), *_lender(product, facts, standing), *own)
    )


def decide(shelf: Sequence[OnShelf], facts: Facts, standings: Mapping[str, Standing]) -> Decision:
    """Judge every product and rank what fits."""
    verdicts = [judge(product, facts, standings[product.lender_id]) for product in shelf]
    candidates = [candidate_of(verdict.product, facts, standings) for verdict in verdicts if verdict.is_eligible]
    refused = tuple(verdict for verdict in verdicts if not verdict.is_eligible)
    return Decision(rank(candidates), refused)


def candidate_of(product: OnShelf, facts: Facts, standings: Mapping[str, Standing]) -> Candidate:
    """Return what the order looks at: the cost at the middle of the product's rate band, and the promise it keeps."""
    middle_bp = -(-(product.min_rate_bp + product.max_rate_bp) // 2)
    cost = total_interest_fen(
        _whole(facts, "amount_fen"),
        middle_bp,
        _whole(facts, "term_months"),
        RepaymentKind(str(facts["repayment_kind"])),
    )
    promised = _whole(facts, "answer_working_days")
    if product.answer_days is not None:
        promised = min(promised, product.answer_days)
    standing = standings[product.lender_id]
    lot = lot_for(product, facts, standing)
    return Candidate(product.product_id, product.code, product.lender_id, cost, promised, standing.grant_share_ppm, lot)


def lot_for(product: OnShelf, facts: Facts, standing: Standing) -> str:
    """Return the lot of one product for one demand, drawn from business keys where the vector holds them."""
    demand_key = facts.get("demand_key") or facts["demand_id"]
    return lot_of(str(demand_key), standing.lender_code or product.lender_id, product.code)


def _terms(product: OnShelf, facts: Facts) -> list[Failure]:
    failures = []
    amount, term, repayment = facts["amount_fen"], facts["term_months"], facts["repayment_kind"]
    if not product.min_amount_fen <= _whole(facts, "amount_fen") <= product.max_amount_fen:
        bounds = [product.min_amount_fen, product.max_amount_fen]
        failures.append(Failure(Filter.AMOUNT, "amount_fen", "between", bounds, amount))
    if not product.min_term_months <= _whole(facts, "term_months") <= product.max_term_months:
        bounds = [product.min_term_months, product.max_term_months]
        failures.append(Failure(Filter.TERM, "term_months", "between", bounds, term))
    if repayment not in product.repayment_kinds:
        failures.append(Failure(Filter.REPAYMENT, "repayment_kind", "in", list(product.repayment_kinds), repayment))
    return failures


def _served(product: OnShelf, facts: Facts) -> list[Failure]:
    failures = []
    kind, region, industry = facts["kind"], facts["region_code"], facts["industry_code"]
    if product.applicant_kinds and kind not in product.applicant_kinds:
        failures.append(Failure(Filter.APPLICANT_KIND, "kind", "in", list(product.applicant_kinds), kind))
    if product.region_codes and region not in product.region_codes:
        failures.append(Failure(Filter.REGION, "region_code", "in", list(product.region_codes), region))
    if product.industry_codes and not str(industry or "").startswith(product.industry_codes):
        wanted = list(product.industry_codes)
        failures.append(Failure(Filter.INDUSTRY, "industry_code", "starts_with", wanted, industry))
    return failures


def _lender(product: OnShelf, facts: Facts, standing: Standing) -> list[Failure]:
    failures = []
    if not standing.has_consent:
        failures.append(Failure(Filter.CONSENT, "consent", "equals", 1, 0))
    if standing.was_asked:
        failures.append(Failure(Filter.ASKED, "dispatch", "equals", 0, 1))
    if not product.requires_cover:
        return failures
    if standing.line not in ("open", "watch"):
        return [*failures, Failure(Filter.LINE, "line", "in", ["open", "watch"], standing.line)]
    covered = _whole(facts, "amount_fen") * standing.line_covered_ppm // WHOLE_PPM
    if covered > standing.line_available_fen:
        failures.append(
            Failure(Filter.LINE_CAPACITY, "line_available_fen", "at_least", standing.line_available_fen, covered)
        )
    if _whole(facts, "amount_fen") > standing.line_firm_cap_fen:
        cap, amount = standing.line_firm_cap_fen, _whole(facts, "amount_fen")
        failures.append(Failure(Filter.LINE_FIRM_CAP, "amount_fen", "at_most", cap, amount))
    if product.min_rate_bp > standing.line_max_rate_bp:
        bounds = standing.line_max_rate_bp, product.min_rate_bp
        failures.append(Failure(Filter.LINE_RATE, "line_max_rate_bp", "at_least", *bounds))
    return failures


def _whole(facts: Facts, field: str) -> int:
    value = facts[field]
    assert isinstance(value, int), f"{field} is always known"
    return value


def _shown(value: Json) -> str:
    if isinstance(value, (list, tuple)):
        return "–".join(map(str, value)) if all(isinstance(one, int) for one in value) else "、".join(map(str, value))
    return "未知" if value is None else str(value)


def _json(value: object) -> Json:
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_json(one) for one in (sorted(value) if isinstance(value, (set, frozenset)) else value)]
    return str(value)
