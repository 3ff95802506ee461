"""Bots decide purely: from any answers they come to an end, and what they remember is all they know."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from builders_examples import on_examples
from hypothesis import given
from hypothesis import strategies as st

from city.bots import bank, book, firm, fund
from city.bots.firm import Case, Parties, Seen, Stage
from city.platform import Answer
from city.world.calendar import SHANGHAI, is_working_day
from city.world.institutions import banks
from city.world.plans import wish_on
from city.world.population import make_firms

FIRMS = make_firms(1, 60)
MONDAY = date(2025, 3, 3)
NOW = datetime(2025, 3, 3, 9, tzinfo=SHANGHAI)
CODES = [one.credit_code for one in banks()]
WHO = Parties({code: f"id-{code}" for code in CODES}, {f"id-{code}": code for code in CODES})

ANSWERS = st.builds(
    Answer,
    st.sampled_from([200, 201, 202, 400, 403, 404, 409, 422]),
    st.sampled_from(
        [{"id": "x", "code": code} for code in ("illegal_demand_step", "pull_under_way", "offer_pending", "not_found")]
    ),
)
STATES = st.sampled_from(["submitted", "matching", "offered", "accepted", "closed", "rejected_all", "expired"])
LOOKS = st.builds(
    Seen,
    operator_id=st.just("operator"),
    text_digest=st.just("d"),
    consent_code=st.just("c"),
    pull=st.sampled_from([{}, {"state": "running"}, {"state": "ready"}, {"state": "failed"}]),
    demand_state=STATES,
    indications=st.lists(
        st.fixed_dictionaries(
            {
                "id": st.sampled_from(["i1", "i2", "i3"]),
                "state": st.sampled_from(["indicated", "chosen", "declined"]),
                "lender_id": st.sampled_from([f"id-{code}" for code in CODES]),
                "max_rate_bp": st.integers(300, 900),
                "max_amount_fen": st.integers(1, 10**9),
                "valid_until": st.just("2026-03-20T00:00:00+00:00"),
            }
        ),
        max_size=3,
        unique_by=lambda one: one["id"],
    ).map(tuple),
    offers=st.lists(
        st.fixed_dictionaries(
            {
                "id": st.sampled_from(["o1", "o2", "o3"]),
                "state": st.sampled_from(["issued", "declined"]),
                "lender_id": st.sampled_from([f"id-{code}" for code in CODES]),
                "rate_bp": st.integers(300, 900),
                "amount_fen": st.integers(1, 10**9),
                "valid_until": st.sampled_from(["2025-03-01T00:00:00+00:00", "2026-03-20T00:00:00+00:00"]),
            }
        ),
        max_size=4,
    ).map(tuple),
)


@given(st.integers(0, 59), st.lists(st.tuples(LOOKS, ANSWERS), min_size=1, max_size=40))
@on_examples(150)
def test_a_firm_goes_on_or_waits_and_never_repeats_a_refused_act(
    number: int, script: list[tuple[Seen, Answer]]
) -> None:
    case = firm.open_case(wish_on(1, FIRMS[number], MONDAY), MONDAY)
    refused: set[tuple[str, ...]] = set()

    for on, (seen, answer) in enumerate(script):
        now = NOW + timedelta(days=on)
        case = firm.looked(case, seen, WHO, now)
        act = firm.next_act(case, seen, WHO, now)
        assert act is None or (act.name, *act.natural) not in refused
        refused |= {(act.name, *act.natural)} if act is not None and not answer.is_ok else set()
        case = case if act is None else firm.after(case, act, answer)
        assert Case.of(json.loads(json.dumps(case.as_body()))) == case


def test_a_firm_takes_the_cheapest_offer_and_the_same_one_in_whatever_order_they_come() -> None:
    case = replace(firm.open_case(wish_on(1, FIRMS[0], MONDAY), MONDAY), stage=Stage.ASKING, demand_id="d")
    case = replace(case, first_offer_on="2025-02-20", chosen=tuple(CODES[:4]))
    offers = tuple(
        {
            "id": f"o{place}",
            "state": "issued",
            "lender_id": f"id-{code}",
            "rate_bp": rate_bp,
            "amount_fen": 10**7,
            "valid_until": "2025-04-01T00:00:00+00:00",
        }
        for place, (code, rate_bp) in enumerate(zip(CODES[:3], (480, 450, 450), strict=True))
    )

    chosen = {
        act.natural[1]
        for order in (offers, offers[::-1])
        if (act := firm.next_act(case, Seen(demand_state="offered", offers=order), WHO, NOW)) is not None
    }

    assert chosen == {min(CODES[1:3])}


def test_a_firm_waits_for_other_banks_before_it_accepts() -> None:
    case = replace(firm.open_case(wish_on(1, FIRMS[0], MONDAY), MONDAY), stage=Stage.ASKING, chosen=tuple(CODES[:2]))
    offer = {"id": "o", "state": "issued", "lender_id": f"id-{CODES[0]}", "rate_bp": 450, "amount_fen": 10**7}
    seen = Seen(demand_state="offered", offers=(offer | {"valid_until": "2025-04-01T00:00:00+00:00"},))

    case = firm.looked(case, seen, WHO, NOW)
    acts = [firm.next_act(case, seen, WHO, NOW + timedelta(days=days)) for days in range(5)]

    assert [act is not None for act in acts] == [False, False, False, True, True]


def test_a_firm_chooses_two_banks_at_a_time_by_what_they_indicated() -> None:
    case = replace(firm.open_case(wish_on(1, FIRMS[0], MONDAY), MONDAY), stage=Stage.ASKING, banks=tuple(CODES[:4]))
    rows = [
        {"id": f"i{place}", "state": "indicated", "lender_id": f"id-{CODES[place]}", "max_rate_bp": 500 - 10 * place}
        for place in range(4)
    ]
    ranges = tuple(row | {"max_amount_fen": 10**7, "valid_until": "2025-04-01T00:00:00+00:00"} for row in rows)
    held = (ranges[0] | {"state": "chosen"}, *ranges[1:])

    free, partly = (
        firm.next_act(case, Seen(demand_state="matching", indications=one), WHO, NOW) for one in (ranges, held)
    )

    assert free is not None
    assert partly is not None
    assert free.rings == (CODES[3], CODES[2])
    assert partly.rings == (CODES[3],)


SEEN_DEMAND = st.builds(
    bank.DeskSeen,
    demand=st.fixed_dictionaries(
        {
            "amount_fen": st.integers(10**6, 10**9),
            "term_months": st.sampled_from([1, 6, 12, 24, 36]),
            "repayment_kind": st.just("equal_instalments"),
        }
    ),
    profile=st.one_of(
        st.just({}),
        st.integers(0, 10**10).map(lambda fen: {"indicators": [{"code": "sales_12m_fen", "value": fen}]}),
        st.just({"indicators": [{"code": "sales_12m_fen", "value": None}]}),
    ),
)


@given(st.integers(0, 11), st.one_of(st.none(), st.integers(0, 59)), SEEN_DEMAND, ANSWERS)
@on_examples(200)
def test_a_bank_answers_within_its_product_or_says_why_not(
    place: int, number: int | None, seen: bank.DeskSeen, answer: Answer
) -> None:
    desk = bank.Desk(1, banks()[place])
    applicant = None if number is None else FIRMS[number]
    code = "" if applicant is None else applicant.credit_code
    row = {"id": "d", "demand_id": "m", "firm_id": "f"}
    dealing = bank.take_up(desk, row, code, NOW)
    at = datetime.fromisoformat(dealing.answer_at)

    first = bank.next_act(desk, dealing, seen, applicant, at)
    indicated = bank.after(dealing, first, Answer(201, {"id": "i"})) if first is not None else dealing
    chosen = replace(indicated, step=bank.Step.CHOSEN)
    act = bank.next_act(desk, chosen, seen, applicant, at)
    known = bank.after(chosen, act, answer) if act is not None else dealing

    way = desk.bank.personality
    assert first is not None
    assert act is not None
    assert (first.name in {"indicate", "decline"}, act.name in {"offer", "decline"}) == (True, True)
    named = first.body if isinstance(first.body, dict) and first.name == "indicate" else {}
    assert way.min_rate_bp <= named.get("min_rate_bp", way.min_rate_bp) <= named.get("max_rate_bp", way.max_rate_bp)
    assert named.get("min_amount_fen", 0) <= named.get("max_amount_fen", 0) <= seen.demand["amount_fen"]
    offered = act.body if isinstance(act.body, dict) and act.name == "offer" else {}
    assert offered.get("rate_bp", way.min_rate_bp) in range(way.min_rate_bp, way.max_rate_bp + 1)
    assert offered.get("amount_fen", way.min_amount_fen) in range(way.min_amount_fen, way.max_amount_fen + 1)
    assert offered.get("amount_fen", 0) <= seen.demand["amount_fen"]
    assert bank.Dealing.of(json.loads(json.dumps(known.as_body()))) == known
    assert number is not None or at == NOW, "whoever is not of this city is answered at once"


@given(st.integers(0, 59), st.integers(0, 400), st.lists(ANSWERS, min_size=60, max_size=60))
@on_examples(60)
def test_a_book_pays_each_instalment_once_and_in_order(number: int, step: int, answers: list[Answer]) -> None:
    borrower = FIRMS[number]
    due = [(f"2025-{month:02d}-17", 1_000 + month) for month in range(2, 13)]
    booked = book.Booked("l", borrower.credit_code, (borrower.credit_code, "2025-01-17"), 10**6, 90, tuple(due), -1)
    paid: list[tuple[str, int]] = []

    day = date(2025, 1, 17)
    for answer in answers:
        day += timedelta(days=1 + step % 9)
        what = book.due_act(1, booked, borrower, day)
        act = book.next_act(1, booked, what, book.BookSeen(payoff_fen=10**9), day)
        kept = booked.paid
        booked = booked if act is None else book.after(booked, act, answer, day)
        paid += due[kept : booked.paid]
        assert act is None or is_working_day(day)
        assert book.Booked.of(json.loads(json.dumps(booked.as_body()))) == booked

    assert paid == due[: len(paid)]
    assert booked.closed is (len(paid) == len(due))


def test_a_loan_is_claimed_when_the_agreement_says_and_never_before() -> None:
    borrower = FIRMS[0]
    booked = book.Booked("l", borrower.credit_code, ("f", "2025-01-17"), 10**6, 90, (("2025-02-17", 1),), 24301)

    days = [date(2025, 2, 17) + timedelta(days=on) for on in range(120)]
    claimed = [day for day in days if book.due_act(1, booked, borrower, day) == "claim"]

    assert claimed[0] == date(2025, 5, 19), "90 days are over on a Sunday"
    assert all(is_working_day(day) for day in claimed)


@given(st.lists(ANSWERS, min_size=8, max_size=8))
def test_a_claim_is_approved_by_two_people_before_it_is_paid(answers: list[Answer]) -> None:
    review = fund.open_review({"id": "c", "state": "lodged"}, "bank", NOW.astimezone(UTC), is_urgent=False)
    done: list[tuple[str, bool]] = []

    for on, answer in enumerate(answers, 1):
        now = NOW + timedelta(days=3 * on)
        act = fund.next_act(review, now)
        done += [] if act is None else [(act.name, act.by_checker)]
        review = review if act is None else fund.after(review, act, answer, now)
        assert fund.Review.of(json.loads(json.dumps(review.as_body()))) == review

    wanted = [("approve_claim", False), ("approve_claim", True), ("pay_claim", False)]
    assert done == wanted[: len(done)]
