"""The order of offers: cost, answer time, history, code; nothing else."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from xinyidai.matching.rules.ranking import Candidate, Criterion, first_of_each_lender, rank

CHEAP = Candidate("p1", "A-01", "l1", 100, 10, None)

candidates = st.lists(
    st.builds(
        Candidate,
        product_id=st.uuids().map(str),
        product_code=st.text("ABC", min_size=1, max_size=3),
        lender_id=st.sampled_from(["l1", "l2", "l3", "l4", "l5", "l6", "l7"]),
        expected_cost_fen=st.integers(0, 5),
        answer_days=st.integers(1, 3),
        grant_share_ppm=st.one_of(st.none(), st.sampled_from([0, 500_000, 900_000])),
    ),
    max_size=12,
    unique_by=lambda candidate: candidate.product_code,
)


def test_the_cheaper_comes_first_and_the_next_says_what_put_it_behind() -> None:
    dear = replace(CHEAP, product_id="p2", product_code="A-00", expected_cost_fen=101)
    slow = replace(CHEAP, product_id="p3", product_code="A-02", answer_days=11)
    refuser = replace(CHEAP, product_id="p4", product_code="A-03", grant_share_ppm=499_999)
    twin = replace(CHEAP, product_id="p0", product_code="A-04")

    ranked = rank([dear, twin, refuser, slow, CHEAP])

    assert [one.candidate.product_code for one in ranked] == ["A-01", "A-04", "A-03", "A-02", "A-00"]
    assert [one.behind_by for one in ranked] == [
        None,
        Criterion.CODE,
        Criterion.GRANTS,
        Criterion.ANSWER,
        Criterion.COST,
    ]


@given(candidates, st.randoms())
def test_the_order_of_arrival_and_the_ids_do_not_matter(found: list[Candidate], random: object) -> None:
    shuffled = [replace(one, product_id=f"x{place}") for place, one in enumerate(found)]
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    there = [one.candidate.product_code for one in rank(found)]
    again = [one.candidate.product_code for one in rank(shuffled)]

    assert there == again


@given(candidates, st.integers(1, 5))
def test_no_lender_is_asked_twice_and_no_more_than_so_many(found: list[Candidate], most: int) -> None:
    asked = first_of_each_lender(rank(found), most)

    lenders = [one.candidate.lender_id for one in asked]
    assert len(lenders) == len(set(lenders)) == min(most, len({one.lender_id for one in found}))
    assert [one.rank for one in asked] == sorted(one.rank for one in asked)
