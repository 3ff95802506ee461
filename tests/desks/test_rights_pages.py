"""The page of a firm's rights: what is held and why, an export, a deletion; and what there is on the consents page."""

from collections.abc import AsyncGenerator
from datetime import datetime

import pytest
from builders_databases import Database, a_furnished_clone
from builders_desks import FullDesk, Reader, a_full_desk, a_reader

from xinyidai.foundation import outbox
from xinyidai.foundation.embedded import PostgresServer
from xinyidai.worker import load_rooms

load_rooms()


@pytest.fixture
async def furnished(cluster: PostgresServer, noon: datetime) -> AsyncGenerator[tuple[Database, FullDesk]]:
    async with a_furnished_clone(cluster, a_full_desk, now=noon) as made:
        yield made


@pytest.fixture
async def reader(furnished: tuple[Database, FullDesk], noon: datetime) -> AsyncGenerator[Reader]:
    async with a_reader(furnished[0], furnished[1].firm, now=noon) as signed_in:
        yield signed_in


async def test_the_page_tells_what_is_held_and_carries_both_requests_out(
    furnished: tuple[Database, FullDesk], reader: Reader, noon: datetime
) -> None:
    database = furnished[0]
    before = await reader.read("/firm/rights")
    exported = await reader.send("/firm/rights/export", {}, shown_on="/firm/rights")
    unsure = await reader.send("/firm/rights/deletion", {}, shown_on="/firm/rights")
    deleted = await reader.send("/firm/rights/deletion", {"sure": "yes"}, shown_on="/firm/rights")
    await outbox.drain(database.worker, now=noon)
    after = await reader.read("/firm/rights")

    assert "您的授权有效，可先撤回授权" in before
    assert (exported.status_code, deleted.status_code) == (303, 303)
    assert "请确认您了解删除不能恢复" in unsure.text
    assert "下载" in after
    assert "已删除 0 条" in after


async def test_the_consents_page_says_what_there_is(reader: Reader) -> None:
    shown = await reader.read("/firm/consents")

    assert "平台有您的哪些数据" in shown
    assert "增值税发票" in shown
