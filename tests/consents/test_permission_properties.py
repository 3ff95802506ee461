"""What holds of every permission, whatever was granted, set as policy, listed and asked."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from uuid import UUID

from builders_consents import A_POLICY, NOW, an_item
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from xinyidai.access.rules import OrganisationKind
from xinyidai.catalogue.rules import AccessClass, Category, Item
from xinyidai.consents.rules import Grant, Permission, Purpose, PurposePolicy, effective_permission
from xinyidai.foundation.errors import Refusal

SUBJECTS = [UUID(int=number) for number in (1, 2)]
RECEIVERS = [UUID(int=number) for number in (3, 4)]
PURPOSES = [Purpose.PRE_LOAN, Purpose.POST_LOAN]
CODES = ["invoices", "wages", "power"]
KINDS = [OrganisationKind.LENDER, OrganisationKind.FUND]
CATEGORIES = [Category.TAX, Category.UTILITIES]
HOURS = [NOW + timedelta(hours=hours) for hours in (-2, -1, 0, 1, 2)]
DAYS = [date(2025, 6, day) for day in (15, 16, 17)]


@dataclass(frozen=True)
class World:
    """Everything that a permission hangs on."""

    grants: tuple[Grant, ...]
    policy: PurposePolicy | None
    listed: dict[str, Item]
    receiver_kind: OrganisationKind | None
    subjects: tuple[UUID, ...]
    receiver_id: UUID
    purpose: Purpose
    items: tuple[str, ...]
    at: datetime

    def permission(self) -> Permission | None:
        """Return what may be read, None where asking is refused."""
        try:
            return effective_permission(
                subject_ids=self.subjects,
                receiver_id=self.receiver_id,
                receiver_kind=self.receiver_kind,
                purpose=self.purpose,
                item_codes=self.items,
                grants=self.grants,
                policy=self.policy,
                listed=self.listed,
                at=self.at,
            )
        except Refusal:
            return None


def subsets(of: list[str] | list[UUID] | list[Category] | list[OrganisationKind]) -> st.SearchStrategy[frozenset[str]]:
    """Draw subsets, the whole most often: a world in which nothing is permitted teaches little."""
    return st.one_of(st.just(frozenset(of)), st.just(frozenset(of)), st.frozensets(st.sampled_from(of)))  # type: ignore[return-value]


grants = st.builds(
    Grant,
    consent_id=st.uuids(),
    subject_id=st.sampled_from(SUBJECTS),
    purpose=st.sampled_from([PURPOSES[0], *PURPOSES]),
    item_codes=subsets(CODES),
    receiver_ids=subsets(RECEIVERS),
    granted_at=st.sampled_from(HOURS[:4]),
    expires_at=st.sampled_from(HOURS[2:]),
    is_revoked=st.sampled_from([False, False, False, True]),
)
policies = st.builds(
    replace,
    st.just(A_POLICY),
    purpose=st.sampled_from([PURPOSES[0], *PURPOSES]),
    categories=subsets(CATEGORIES),
    item_codes=st.frozensets(st.sampled_from(CODES)),
    receiver_kinds=subsets(KINDS),
    valid_from=st.sampled_from(DAYS),
    valid_to=st.sampled_from([None, *DAYS]),
)
items = st.builds(
    lambda code, access_class, category: replace(an_item(code, access_class), category=category),
    st.sampled_from(CODES),
    st.sampled_from([AccessClass.ON_CONSENT, AccessClass.ON_CONSENT, *AccessClass]),
    st.sampled_from([*CATEGORIES, None]),
)
worlds = st.builds(
    World,
    grants=st.lists(grants, max_size=6).map(tuple),
    policy=st.one_of(policies, policies, st.none()),
    listed=st.lists(items, min_size=2, max_size=5).map(lambda found: {item.code: item for item in found}),
    receiver_kind=st.sampled_from([*KINDS, KINDS[0], None]),
    subjects=st.lists(st.sampled_from(SUBJECTS), min_size=1, max_size=2, unique=True).map(tuple),
    receiver_id=st.sampled_from(RECEIVERS),
    purpose=st.sampled_from([PURPOSES[0], *PURPOSES]),
    items=st.lists(st.sampled_from(CODES), min_size=1, max_size=2, unique=True).map(tuple),
    at=st.sampled_from(HOURS),
)

A_GRANT_TAKES: list[Callable[[Grant], Grant | None]] = [
    lambda _grant: None,
    lambda grant: replace(grant, item_codes=frozenset(sorted(grant.item_codes)[1:])),
    lambda grant: replace(grant, receiver_ids=frozenset(sorted(grant.receiver_ids)[1:])),
    lambda grant: replace(grant, granted_at=grant.granted_at + timedelta(hours=1)),
    lambda grant: replace(grant, expires_at=grant.expires_at - timedelta(hours=1)),
    lambda grant: replace(grant, is_revoked=True),
]
A_POLICY_TAKES: list[Callable[[PurposePolicy], PurposePolicy | None]] = [
    lambda _policy: None,
    lambda policy: replace(policy, categories=frozenset(sorted(policy.categories)[1:])),
    lambda policy: replace(policy, item_codes=frozenset(sorted(policy.item_codes)[1:])),
    lambda policy: replace(policy, receiver_kinds=frozenset(sorted(policy.receiver_kinds)[1:])),
    lambda policy: replace(policy, valid_from=policy.valid_from + timedelta(days=1)),
    lambda policy: replace(policy, valid_to=min(policy.valid_to or DAYS[-1], DAYS[1])),
]
AN_ITEM_TAKES: list[Callable[[Item], Item | None]] = [
    lambda _item: None,
    lambda item: replace(item, access_class=AccessClass.FORBIDDEN),
    lambda item: replace(item, access_class=max(item.access_class, AccessClass.ON_CONSENT, key=HARDER.index)),
    lambda item: replace(item, category=None),
]


def with_grants(world: World) -> World:
    """Let every subject allow what is asked, beside what was drawn."""
    given = (
        Grant(UUID(int=number), subject, world.purpose, frozenset(CODES), frozenset(RECEIVERS), HOURS[0], at, False)
        for number, subject in enumerate(SUBJECTS, 10)
        for at in [world.at + timedelta(hours=1)]
    )
    return replace(world, grants=(*world.grants, *given))


def with_policy(world: World) -> World:
    """Let the policy allow what is asked."""
    policy = replace(A_POLICY, purpose=world.purpose, categories=frozenset(CATEGORIES))
    return replace(world, policy=policy, receiver_kind=KINDS[0])


def agreeing(world: World) -> World:
    """Let grants, policy and catalogue agree to what is asked."""
    return replace(with_policy(with_grants(world)), listed={code: an_item(code) for code in CODES})


willing = st.one_of(
    worlds.map(agreeing),
    worlds.map(with_grants).map(with_policy),
    worlds.map(agreeing).flatmap(lambda world: policies.map(lambda drawn: replace(world, policy=drawn))),
    worlds.map(agreeing).flatmap(lambda world: st.lists(grants).map(lambda more: replace(world, grants=tuple(more)))),
)
"""Worlds in which a permission is likely, with one part as it was drawn."""
HARDER = [AccessClass.OPEN, AccessClass.ON_CONSENT, AccessClass.SENSITIVE, AccessClass.FORBIDDEN]


@settings(deadline=None)
@given(world=worlds, take=st.sampled_from(A_GRANT_TAKES), which=st.integers(0, 5))
def test_taking_anything_from_a_grant_never_permits_more(
    world: World, take: Callable[[Grant], Grant | None], which: int
) -> None:
    assume(which < len(world.grants))
    changed = take(world.grants[which])
    kept = (*world.grants[:which], *([changed] if changed else []), *world.grants[which + 1 :])
    narrower = replace(world, grants=kept)

    assert narrower.permission() is None or world.permission() is not None


@settings(deadline=None)
@given(world=worlds, take=st.sampled_from(A_POLICY_TAKES))
def test_taking_anything_from_the_policy_never_permits_more(
    world: World, take: Callable[[PurposePolicy], PurposePolicy | None]
) -> None:
    assume(world.policy is not None)
    narrower = replace(world, policy=world.policy and take(world.policy))

    assert narrower.permission() is None or world.permission() is not None


@settings(deadline=None)
@given(world=worlds, take=st.sampled_from(AN_ITEM_TAKES), code=st.sampled_from(CODES))
def test_taking_anything_from_the_catalogue_never_permits_more(
    world: World, take: Callable[[Item], Item | None], code: str
) -> None:
    assume(code in world.listed)
    changed = take(world.listed[code])
    others = {name: item for name, item in world.listed.items() if name != code}
    narrower = replace(world, listed=others | ({code: changed} if changed else {}))

    assert narrower.permission() is None or world.permission() is not None


@settings(deadline=None)
@given(world=willing)
def test_a_permission_is_for_what_was_asked_and_stands_on_grants_that_say_it(world: World) -> None:
    permission = world.permission()
    assume(permission is not None)
    assert permission is not None
    on_consent = [code for code in permission.item_codes if world.listed[code].needs_consent]

    assert permission.item_codes == world.items
    assert permission.subject_ids == frozenset(world.subjects)
    assert (permission.receiver_id, permission.purpose, permission.at) == (world.receiver_id, world.purpose, world.at)
    assert set(permission.grants) <= set(world.grants)
    assert all(
        any(
            grant.subject_id == subject
            and code in grant.item_codes
            and world.receiver_id in grant.receiver_ids
            and grant.purpose is world.purpose
            and grant.granted_at <= world.at < grant.expires_at
            and not grant.is_revoked
            for grant in permission.grants
        )
        for subject in world.subjects
        for code in on_consent
    )


@settings(deadline=None)
@given(world=willing)
def test_what_needs_consent_is_permitted_within_the_policy_alone(world: World) -> None:
    permission = world.permission()
    assume(permission is not None and any(world.listed[code].needs_consent for code in world.items))
    on_consent = [world.listed[code] for code in world.items if world.listed[code].needs_consent]

    assert world.policy is not None
    assert world.policy.purpose is world.purpose
    assert world.policy.valid_from <= DAYS[1]
    assert world.receiver_kind in world.policy.receiver_kinds
    assert all(item.category in world.policy.categories or item.code in world.policy.item_codes for item in on_consent)


@settings(deadline=None)
@given(world=worlds)
def test_at_the_end_of_its_last_grant_nothing_that_needs_consent_is_permitted(world: World) -> None:
    assume(any(item in world.listed and world.listed[item].needs_consent for item in world.items))
    end = max((grant.expires_at for grant in world.grants), default=NOW)

    assert replace(world, at=end).permission() is None


@settings(deadline=None)
@given(world=worlds, code=st.sampled_from(CODES))
def test_nothing_opens_a_forbidden_item(world: World, code: str) -> None:
    forbidden = {code: an_item(code, AccessClass.FORBIDDEN)}
    asked = tuple({*world.items, code})

    assert replace(world, listed=world.listed | forbidden, items=asked).permission() is None


@settings(deadline=None)
@given(world=worlds)
def test_revoked_grants_permit_nothing(world: World) -> None:
    assume(any(item in world.listed and world.listed[item].needs_consent for item in world.items))
    revoked = tuple(replace(grant, is_revoked=True) for grant in world.grants)

    assert replace(world, grants=revoked).permission() is None


@settings(deadline=None)
@given(world=worlds)
def test_a_world_in_which_all_agree_permits(world: World) -> None:
    assert agreeing(world).permission() is not None
