"""Signing in for a command: nobody is taken by name."""

from contextlib import AsyncExitStack
from datetime import datetime

import click
import pytest
from builders_people import PASSWORD, a_person, code_of, enrols
from conftest import Database

from xinyidai.access.rules import Role, Viewer
from xinyidai.cli.people import signed_in_operator
from xinyidai.cli.surroundings import Connected
from xinyidai.foundation.clock import AnchoredClock, wall_now
from xinyidai.parties.rules import PLATFORM_ID, ProofRefused, SignInRefused

EMAIL = "op@example.com"


@pytest.fixture
async def operator(database: Database, noon: datetime) -> Viewer:
    return await a_person(database, PLATFORM_ID, EMAIL, Role.OFFICER, Role.APPROVER, now=noon)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the answers to the prompts of the command, taken from the front."""
    answers: list[str] = []
    monkeypatch.setattr(click, "prompt", lambda *_words, **_options: answers.pop(0))
    return answers


async def enter(database: Database, now: datetime, password: str = PASSWORD) -> Viewer:
    async with AsyncExitStack() as stack:
        connected = Connected(database.settings, AnchoredClock(wall_now(), now, 0.0), stack)
        return await signed_in_operator(connected, EMAIL, password)


async def test_a_password_suffices_until_a_second_factor_is_enrolled(
    database: Database, operator: Viewer, noon: datetime, asked: list[str]
) -> None:
    by_password = await enter(database, noon)
    held = await enrols(database, operator, now=noon)
    asked += [code_of(held.secret, ahead=1)]
    by_both = await enter(database, noon)

    assert asked == []
    assert by_password.principal_id == by_both.principal_id == operator.principal_id


async def test_a_wrong_code_or_password_is_refused(
    database: Database, operator: Viewer, noon: datetime, asked: list[str]
) -> None:
    await enrols(database, operator, now=noon)
    asked += ["000000"]

    with pytest.raises(ProofRefused):
        await enter(database, noon)
    with pytest.raises(SignInRefused):
        await enter(database, noon, "another pass phrase")
