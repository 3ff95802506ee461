"""What offices write down of a firm once and not monthly: cases, penalties, permits, changes, rights, honours.

Each function returns what a firm's file held on a day, `known_by`; what ends later is shown as not ended.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from city.world.draws import draws, uniform, whole
from city.world.population import Firm

BEGINS_ON = date(2021, 1, 1)
DAYS = 3_652
YEARS = 10
JUDGED_A_YEAR = {"firm": 0.10, "sole_trader": 0.03}
JUDGED_OF_POOR = 0.30
DEFENDS = 0.35
DEFENDS_OF_POOR = 0.30
CAUSES = ("买卖合同纠纷", "劳动争议", "租赁合同纠纷", "借款合同纠纷", "建设工程合同纠纷", "运输合同纠纷")
COURT_PUBLISHES_AFTER_DAYS = 30
ENFORCED = 0.25
ENFORCED_OF_POOR = 0.30
DISHONEST_SHARE = 0.30
PENALISED_A_YEAR = 0.04
PENALISED_OF_POOR = 0.08
PENALTY_KINDS = ("warning", "fine", "confiscation", "suspension")
REASONS: Mapping[str, str] = {
    "C": "未按规定设置安全警示标志",
    "E": "施工现场未采取扬尘防治措施",
    "F": "未按规定明码标价",
    "G": "超限运输",
    "H": "未按规定进行餐具消毒",
    "I": "未按规定公示年度报告",
    "L": "未按规定公示年度报告",
    "M": "未按规定公示年度报告",
}
PUBLISHED_MONTHS = {"warning": 3, "fine": 12, "confiscation": 12, "suspension": 36}
PERMITS: Mapping[str, tuple[str, int]] = {
    "C": ("排污许可", 5),
    "E": ("建筑施工安全生产许可", 3),
    "F": ("食品经营许可", 5),
    "G": ("道路运输经营许可", 4),
    "H": ("食品经营许可", 5),
    "I": ("增值电信业务经营许可", 5),
}
NEEDS_PERMIT: Mapping[str, float] = {"C": 0.5, "E": 0.9, "F": 0.4, "G": 1.0, "H": 1.0, "I": 0.2}
RIGHTS_A_YEAR: Mapping[str, float] = {"C": 0.30, "I": 0.60, "M": 0.45}
RIGHTS_ELSEWHERE = 0.03
RIGHT_KINDS = ("invention_patent", "utility_model", "trademark", "software_copyright")
RENAMED_SHARE = 0.06
NAMED_BY = date(2025, 2, 1)
"""The name of `Firm` is what the registry said before this day."""
HONOURS = ("守合同重信用企业", "诚信经营示范单位", "专精特新中小企业")
DISHONEST_LIST = "失信被执行人名单"


@dataclass(frozen=True)
class Judgment:
    """A case that was decided; `role` is plaintiff or defendant."""

    case_no: str
    role: str
    cause: str
    claimed_fen: int
    decided_on: date


@dataclass(frozen=True)
class Enforcement:
    """A judgment that was not obeyed."""

    case_no: str
    owed_fen: int
    filed_on: date
    is_dishonest: bool
    ended_on: date | None


@dataclass(frozen=True)
class Penalty:
    """An administrative penalty."""

    document_no: str
    reason: str
    kind: str
    fined_fen: int
    decided_on: date
    published_until_on: date


@dataclass(frozen=True)
class Permit:
    """A permit; it is given anew when it ends."""

    document_no: str
    what: str
    decided_on: date
    valid_until_on: date


@dataclass(frozen=True)
class RegistrationChange:
    """A change in the register: `what` is name, address or capital."""

    changed_on: date
    what: str
    before: str
    after: str


@dataclass(frozen=True)
class IntellectualProperty:
    """A right; `status` is valid or lapsed."""

    right_no: str
    kind: str
    granted_on: date
    status: str


@dataclass(frozen=True)
class HonourList:
    """A place on a list, of honour or of dishonesty."""

    list: str
    is_negative: bool
    listed_on: date
    removed_on: date | None


def judgments(seed: int, firm: Firm, known_by: date) -> list[Judgment]:
    """Return the decisions that the courts had published by a day."""
    last = known_by - timedelta(days=COURT_PUBLISHES_AFTER_DAYS)
    return [case for case in _cases(seed, firm) if case.decided_on <= last]


def enforcements(seed: int, firm: Firm, known_by: date) -> list[Enforcement]:
    """Return the enforcements that were filed by a day against a firm that lost and did not pay."""
    rows: list[Enforcement] = []
    for case in _cases(seed, firm):
        luck, is_dishonest, lasts, ends = draws(seed, "enforcement", firm.credit_code, case.case_no).random(4)
        if case.role != "defendant" or luck >= ENFORCED + ENFORCED_OF_POOR * _poor(firm):
            continue
        filed_on = case.decided_on + timedelta(days=40 + int(80 * lasts))
        ended_on = filed_on + timedelta(days=30 + int(700 * ends))
        if filed_on <= known_by:
            number = case.case_no.replace("民初", "执")
            is_listed = bool(is_dishonest < DISHONEST_SHARE * (1 + _poor(firm)) / 2)
            ended = ended_on if ends < 0.8 and ended_on <= known_by else None
            rows.append(Enforcement(number, case.claimed_fen, filed_on, is_listed, ended))
    return rows


def penalties(seed: int, firm: Firm, known_by: date) -> list[Penalty]:
    """Return the penalties that were decided by a day."""
    rows: list[Penalty] = []
    for number, day in enumerate(_days(seed, firm, "penalty", PENALISED_A_YEAR + PENALISED_OF_POOR * _poor(firm))):
        kind_at, much = draws(seed, "penalty", firm.credit_code, str(number)).random(2)
        kind = PENALTY_KINDS[min(3, int(kind_at * kind_at * 5))]
        fined_fen = 0 if kind in ("warning", "suspension") else 100_000 * (1 + int(40 * much**3))
        until_on = day + timedelta(days=30 * PUBLISHED_MONTHS[kind])
        document_no = f"模拟渝市监罚〔{day.year}〕{_number(firm, number)}号"
        rows.append(Penalty(document_no, REASONS[firm.industry_code], kind, fined_fen, day, until_on))
    return [row for row in rows if row.decided_on <= known_by]


def permits(seed: int, firm: Firm, known_by: date) -> list[Permit]:
    """Return the permits that were given by a day; a poor firm may let one end."""
    what, years = PERMITS.get(firm.industry_code, ("", 0))
    if uniform(seed, "permit", firm.credit_code) >= NEEDS_PERMIT.get(firm.industry_code, 0.0):
        return []
    rows: list[Permit] = []
    decided_on = firm.established_on + timedelta(days=whole(seed, 5, 60, "permit day", firm.credit_code))
    while decided_on <= known_by:
        until_on = decided_on + timedelta(days=365 * years)
        rows.append(Permit(f"模拟渝许〔{decided_on.year}〕{_number(firm, len(rows))}", what, decided_on, until_on))
        if uniform(seed, "permit renewed", firm.credit_code, str(len(rows))) < 0.1 * _poor(firm):
            break
        decided_on = until_on - timedelta(days=whole(seed, 1, 30, "permit renewal", firm.credit_code, str(len(rows))))
    return rows


def registration_changes(seed: int, firm: Firm, known_by: date) -> list[RegistrationChange]:
    """Return the changes that were registered by a day, the oldest first."""
    rows = [*_renames(seed, firm), *_moves(seed, firm)]
    known = [row for row in rows if firm.established_on < row.changed_on <= known_by]
    return sorted(known, key=lambda row: (row.changed_on, row.what))


def name_on(seed: int, firm: Firm, day: date) -> str:
    """Return the name that the registry says on a day."""
    named = [row for row in _renames(seed, firm) if row.changed_on > NAMED_BY and row.changed_on <= day]
    return named[-1].after if named else firm.name


def intellectual_property(seed: int, firm: Firm, known_by: date) -> list[IntellectualProperty]:
    """Return the rights that were granted by a day; some lapse when nobody pays for them."""
    yearly = RIGHTS_A_YEAR.get(firm.industry_code, RIGHTS_ELSEWHERE) * (0.1 if firm.is_sole_trader else 1.0)
    rows: list[IntellectualProperty] = []
    for number, day in enumerate(_days(seed, firm, "right", yearly * (1 + max(0.0, firm.quality)))):
        kind_at, lapses = draws(seed, "right", firm.credit_code, str(number)).random(2)
        kind = RIGHT_KINDS[-1 if firm.industry_code == "I" and kind_at < 0.7 else int(kind_at * len(RIGHT_KINDS))]
        lapsed_on = day + timedelta(days=700 + int(3_000 * lapses))
        status = "lapsed" if kind.endswith(("patent", "model")) and lapsed_on <= known_by else "valid"
        rows.append(IntellectualProperty(f"SIM{day.year}{_number(firm, number)}", kind, day, status))
    return [row for row in rows if row.granted_on <= known_by]


def honour_lists(seed: int, firm: Firm, known_by: date) -> list[HonourList]:
    """Return the lists that a firm was on by a day; a dishonest debtor is on the list for as long as it is enforced."""
    rows = [
        HonourList(DISHONEST_LIST, True, case.filed_on + timedelta(days=30), case.ended_on)
        for case in enforcements(seed, firm, known_by)
        if case.is_dishonest and (case.ended_on is None or case.ended_on > case.filed_on + timedelta(days=30))
    ]
    for day in _days(seed, firm, "honour", 0.02 if firm.is_sole_trader else 0.05 * (1 + max(0.0, firm.quality))):
        name = HONOURS[whole(seed, 0, len(HONOURS) - 1, "honour", firm.credit_code, day.isoformat())]
        ends_on = day + timedelta(days=3 * 365)
        rows.append(HonourList(name, False, day, ends_on if ends_on <= known_by else None))
    return sorted((row for row in rows if row.listed_on <= known_by), key=lambda row: (row.listed_on, row.list))


def _cases(seed: int, firm: Firm) -> list[Judgment]:
    yearly = JUDGED_A_YEAR[firm.kind] * (1 + JUDGED_OF_POOR / 0.1 * _poor(firm))
    rows: list[Judgment] = []
    for number, day in enumerate(_days(seed, firm, "judgment", yearly)):
        side, cause, much = draws(seed, "judgment", firm.credit_code, str(number)).random(3)
        role = "defendant" if side < DEFENDS + DEFENDS_OF_POOR * _poor(firm) else "plaintiff"
        case_no = f"模拟（{day.year}）渝{firm.region_code[-4:]}民初{_number(firm, number)}号"
        claimed_fen = 100 * int(3_000 * 100**much)
        rows.append(Judgment(case_no, role, CAUSES[int(cause * len(CAUSES))], claimed_fen, day))
    return rows


def _renames(seed: int, firm: Firm) -> list[RegistrationChange]:
    luck, at, word = draws(seed, "renamed", firm.credit_code).random(3)
    if luck >= RENAMED_SHARE:
        return []
    other = firm.name.replace("模拟", f"模拟{('新', '华', '渝', '诚')[int(word * 4)]}", 1)
    day = BEGINS_ON + timedelta(days=int(at * DAYS))
    before, after = (firm.name, other) if day > NAMED_BY else (other, firm.name)
    return [RegistrationChange(day, "name", before, after)]


def _moves(seed: int, firm: Firm) -> list[RegistrationChange]:
    rows: list[RegistrationChange] = []
    number, capital_wan = (
        whole(seed, 1, 300, "house", firm.credit_code),
        whole(seed, 1, 20, "capital", firm.credit_code),
    )
    for place, day in enumerate(_days(seed, firm, "change", 0.08)):
        what, on = draws(seed, "change", firm.credit_code, str(place)).random(2)
        if what < 0.6 or firm.is_sole_trader:
            moved = 1 + (number + int(299 * on)) % 300
            rows.append(RegistrationChange(day, "address", f"模拟路{number}号", f"模拟路{moved}号"))
            number = moved
        else:
            more = capital_wan + 1 + int(10 * on)
            rows.append(RegistrationChange(day, "capital", f"{capital_wan * 10}万元", f"{more * 10}万元"))
            capital_wan = more
    return rows


def _days(seed: int, firm: Firm, what: str, yearly: float) -> list[date]:
    """Return the days of a kind of event in the firm's life, in order."""
    chance = draws(seed, "days of", what, firm.credit_code)
    places = sorted(set((chance.random(int(chance.poisson(yearly * YEARS))) * DAYS).astype(int).tolist()))
    days = [BEGINS_ON + timedelta(days=place) for place in places]
    return [day for day in days if day > firm.established_on]


def _number(firm: Firm, number: int) -> str:
    return f"{firm.credit_code[10:17]}{number:02d}"


def _poor(firm: Firm) -> float:
    return min(2.0, max(0.0, -firm.quality))
