"""The effective permission: request, grant, purpose, catalogue and time, all at once."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from builders_consents import A_POLICY, LISTED, NOW
from hypothesis import given, settings
from hypothesis import strategies as st

from xinyidai.access.rules import OrganisationKind
from xinyidai.catalogue.rules import ItemForbidden, ItemNotListed
from xinyidai.consents.rules import (
    MAX_SUBJECTS,
    ConsentMissing,
    Grant,
    Permission,
    Purpose,
    PurposePolicy,
    TooManySubjects,
    effective_permission,
    latest_expiry,
)
from xinyidai.consents.texts import TEXTS, text_on

IDS = [UUID(int=number) for number in range(1, 5)]
CODES = ["vat_invoice", "loan_outcome", "registration"]


A_GRANT = Grant(
    consent_id=UUID(int=99),
    subject_id=IDS[0],
    purpose=Purpose.PRE_LOAN,
    item_codes=frozenset({"vat_invoice"}),
    receiver_ids=frozenset({IDS[3]}),
    granted_at=NOW - timedelta(days=1),
    expires_at=NOW + timedelta(days=1),
    is_revoked=False,
)

moments = st.sampled_from([NOW + timedelta(hours=hours) for hours in (-2, -1, 0, 1, 2)])
grants = st.builds(
    Grant,
    consent_id=st.uuids(),
    subject_id=st.sampled_from(IDS[:3]),
    purpose=st.sampled_from(list(Purpose)[:2]),
    item_codes=st.frozensets(st.sampled_from(CODES[:2]), min_size=1),
    receiver_ids=st.frozensets(st.sampled_from(IDS[2:]), min_size=1),
    granted_at=moments,
    expires_at=moments,
    is_revoked=st.booleans(),
)


def ask(
    given_grants: list[Grant],
    *,
    subjects: list[UUID] | None = None,
    items: list[str] | None = None,
    purpose: Purpose = Purpose.PRE_LOAN,
    receiver_id: UUID = IDS[3],
    at: datetime = NOW,
    policy: PurposePolicy | None = A_POLICY,
    receiver_kind: OrganisationKind | None = OrganisationKind.LENDER,
) -> Permission:
    return effective_permission(
        subject_ids=IDS[:1] if subjects is None else subjects,
        receiver_id=receiver_id,
        receiver_kind=receiver_kind,
        purpose=purpose,
        item_codes=["vat_invoice"] if items is None else items,
        grants=given_grants,
        policy=policy,
        listed=LISTED,
        at=at,
    )


def is_covered_by_hand(grants: list[Grant], subject: UUID, item: str, purpose: Purpose, receiver: UUID) -> bool:
    """Say the rule once more, in the plainest words."""
    return item == "registration" or any(
        grant.subject_id == subject
        and grant.purpose == purpose
        and receiver in grant.receiver_ids
        and item in grant.item_codes
        and not grant.is_revoked
        and grant.granted_at <= NOW < grant.expires_at
        for grant in grants
    )


def permission_or_none(*arguments: object, **named: object) -> Permission | None:
    try:
        return ask(*arguments, **named)  # type: ignore[arg-type]
    except ConsentMissing:
        return None


@settings(deadline=None)
@given(
    given_grants=st.lists(grants, max_size=8),
    subjects=st.lists(st.sampled_from(IDS[:3]), min_size=1, unique=True),
    items=st.lists(st.sampled_from(CODES), min_size=1, unique=True),
    purpose=st.sampled_from(list(Purpose)[:2]),
    receiver_id=st.sampled_from(IDS[2:]),
)
def test_everything_asked_is_permitted_or_nothing_is(
    given_grants: list[Grant], subjects: list[UUID], items: list[str], purpose: Purpose, receiver_id: UUID
) -> None:
    expected = all(
        is_covered_by_hand(given_grants, subject, item, purpose, receiver_id) for subject in subjects for item in items
    )

    permission = permission_or_none(
        given_grants,
        subjects=subjects,
        items=items,
        purpose=purpose,
        receiver_id=receiver_id,
        policy=replace(A_POLICY, purpose=purpose),
    )

    assert (permission is not None) == expected
    assert permission is None or permission.subject_ids == frozenset(subjects)


@settings(deadline=None)
@given(given_grants=st.lists(grants, max_size=6), gone=st.integers(0, 5))
def test_taking_a_grant_away_never_permits_more(given_grants: list[Grant], gone: int) -> None:
    fewer = given_grants[:gone] + given_grants[gone + 1 :]

    before, after = permission_or_none(given_grants), permission_or_none(fewer)

    assert not (before is None and after is not None)


@settings(deadline=None)
@given(given_grants=st.lists(grants, max_size=6))
def test_revoking_everything_permits_nothing(given_grants: list[Grant]) -> None:
    revoked = [replace(grant, is_revoked=True) for grant in given_grants]

    assert permission_or_none(revoked) is None


@pytest.mark.parametrize(
    "change",
    [
        {"purpose": Purpose.POST_LOAN},
        {"receiver_ids": frozenset({IDS[2]})},
        {"item_codes": frozenset({"loan_outcome"})},
        {"expires_at": NOW},
        {"granted_at": NOW + timedelta(microseconds=1)},
        {"is_revoked": True},
        {"subject_id": IDS[1]},
    ],
)
def test_one_thing_amiss_is_enough_to_refuse(change: dict[str, object]) -> None:
    assert ask([A_GRANT]).consent_ids == (A_GRANT.consent_id,)

    with pytest.raises(ConsentMissing):
        ask([replace(A_GRANT, **change)])  # type: ignore[arg-type]


def test_two_consents_may_cover_two_items_together() -> None:
    second = replace(A_GRANT, consent_id=UUID(int=98), item_codes=frozenset({"loan_outcome"}))

    permission = ask([A_GRANT, second], items=["vat_invoice", "loan_outcome"])

    assert permission.consent_ids == (second.consent_id, A_GRANT.consent_id)


def test_the_refusal_counts_subjects_and_names_none() -> None:
    with pytest.raises(ConsentMissing) as refused:
        ask([A_GRANT], subjects=IDS[:3])

    assert refused.value.facts["missing"] == 2
    assert not any(str(subject) in str(refused.value) for subject in IDS)


@pytest.mark.parametrize(("item", "refusal"), [("nothing", ItemNotListed), ("secret", ItemForbidden)])
def test_no_consent_opens_what_the_catalogue_does_not(item: str, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        ask([replace(A_GRANT, item_codes=frozenset({item}))], items=[item])


@pytest.mark.parametrize(("subjects", "items"), [([], ["vat_invoice"]), (IDS[:1], [])])
def test_asking_for_nothing_is_permitted_nothing(subjects: list[UUID], items: list[str]) -> None:
    with pytest.raises(ConsentMissing):
        ask([A_GRANT], subjects=subjects, items=items)


def test_more_subjects_than_one_audit_row_holds_are_refused() -> None:
    with pytest.raises(TooManySubjects):
        ask([], subjects=[UUID(int=number) for number in range(MAX_SUBJECTS + 1)])


@pytest.mark.parametrize(
    ("months", "expected"),
    [(24, datetime(2027, 6, 16, 4, 0, tzinfo=UTC)), (0, NOW), (8, datetime(2026, 2, 16, 4, 0, tzinfo=UTC))],
)
def test_the_longest_term_is_counted_in_shanghai_months(months: int, expected: datetime) -> None:
    assert latest_expiry(NOW, months) == expected


def test_every_text_speaks_both_languages_of_every_purpose_and_each_has_its_own_digest() -> None:
    digests = {text.digest(purpose) for text in TEXTS for purpose in Purpose}

    assert len(digests) == len(TEXTS) * len(Purpose)
    assert text_on(date(2025, 6, 16)).version == "2025-01"
