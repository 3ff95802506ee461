"""Which decisions a fact went into, as their vectors tell it."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import numpy as np

from xinyidai.decisions.rules import DecisionInputs, Scalar
from xinyidai.foundation.ids import new_id
from xinyidai.profiles.rules.lineage import FINGERPRINT, Touched, decisions_touched, seen_as_of
from xinyidai.sources.rules import DeliveryId, DeliveryKind, FileFormat
from xinyidai.sources.rules.invoices import Invoices
from xinyidai.sources.rules.origins import INVOICE_FACT, FactLife, FactRef, Origin

NOON = datetime(2025, 6, 16, 4, 0, tzinfo=UTC)
DAY = timedelta(days=1)
FIRM = uuid4()
ONE = np.array([1], dtype=np.int64)
ISSUED_ON = date(2025, 6, 10)
INVOICE = Invoices(
    firms=[str(FIRM)],
    counts=ONE,
    issued_on=np.array([ISSUED_ON], dtype="datetime64[D]"),
    is_sale=np.array([True]),
    counterparty=ONE - 1,
    counterparties=["P1"],
    net_fen=ONE,
    tax_fen=ONE,
    gross_fen=ONE,
    is_void=np.array([False]),
)
LIFE = FactLife(
    ref=FactRef(INVOICE_FACT, FIRM, 1, 2),
    recorded_at=NOON,
    superseded_at=NOON + 10 * DAY,
    invoice=INVOICE,
    origin=Origin(DeliveryId(new_id()), 1, uuid4(), DeliveryKind.VAT_INVOICE, FileFormat.CSV, b"", NOON, None),
    replaced=(),
    replaced_by=(),
)


def decided(made_at: datetime, vector: dict[str, Scalar] | None, *, one: UUID | None = None) -> DecisionInputs:
    return DecisionInputs(one or new_id(), "any", made_at, {}, vector)


def touched(*told: DecisionInputs, life: FactLife = LIFE) -> list[Touched]:
    return decisions_touched(life, told, fed=lambda _as_of: ["sales_12m_fen", "active_months"])


def test_a_fact_is_seen_from_its_recording_to_its_supersession_and_after_its_day_began():
    moments = [NOON - DAY, NOON, NOON + 9 * DAY, NOON + 10 * DAY]
    days = [datetime(2025, 6, 9, 16, tzinfo=UTC) + timedelta(microseconds=more) for more in (0, 1)]

    assert [seen_as_of(LIFE, as_of=NOON, known_at=one) for one in moments] == [False, True, True, False]
    assert [seen_as_of(LIFE, as_of=one, known_at=NOON) for one in days] == [False, True]
    assert not seen_as_of(replace(LIFE, invoice=None), as_of=NOON, known_at=NOON)


def test_a_decision_is_of_the_moments_in_its_vector_else_of_its_own():
    past = {"as_of": (NOON - 30 * DAY).isoformat(), "known_at": NOON.isoformat()}
    vector: dict[str, Scalar] = {"indicator.active_months": "0x1p+1", FINGERPRINT: "00"}

    (found,) = touched(decided(NOON + DAY, vector | past), decided(NOON + 2 * DAY, vector))

    assert (found.made_at, found.as_of, found.known_at) == (NOON + 2 * DAY,) * 3
    assert found.indicators == ("active_months",)


def test_a_decision_that_holds_no_indicator_of_the_fact_is_touched_by_the_fingerprint_alone():
    bound, other = decided(NOON, {FINGERPRINT: "00"}), decided(NOON, {"applicant.supplier_hhi": 5})

    assert [(one.id, one.indicators) for one in touched(bound, other)] == [(bound.id, ())]


def test_what_names_a_touched_decision_is_touched_through_it_and_what_names_another_is_not():
    score = decided(NOON, {"indicator.sales_12m_fen": "0x1p+1"})
    match = decided(NOON + DAY, {"applicant.score_decision_id": str(score.id)})
    upon = decided(NOON + DAY, {"match": str(match.id)})
    beside = decided(NOON + DAY, {"applicant.score_decision_id": str(new_id())})

    found = touched(score, match, upon, beside)

    assert [(one.id, one.through) for one in found] == [(score.id, None), (match.id, score.id), (upon.id, match.id)]


def test_of_a_purged_decision_it_is_told_that_it_was_made_while_the_fact_was_known():
    within, after = decided(NOON + DAY, None), decided(NOON + 10 * DAY, None)

    found = touched(within, after)

    assert [(one.id, one.as_of, one.known_at) for one in found] == [(within.id, None, None)]
    assert touched(within, life=replace(LIFE, invoice=None)) == []
