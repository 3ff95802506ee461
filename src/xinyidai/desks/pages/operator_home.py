"""The operator's home: what needs somebody now, red first, and whether the processes are heard."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from litestar import Response, get
from litestar.di import NamedDependency
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Role, Viewer
from xinyidai.desks.pages.names import AnyRequest
from xinyidai.desks.pages.operator import BY_OPERATOR, who
from xinyidai.foundation.pages.rendering import page
from xinyidai.foundation.pages.words import Message, msg
from xinyidai.foundation.progress import whole_since
from xinyidai.foundation.running import JobOutcome, Standing
from xinyidai.objections import queries as objections
from xinyidai.operations import queries as operations
from xinyidai.parties import queries as parties
from xinyidai.risk_sharing import queries as claims
from xinyidai.risk_sharing.rules import UNPAID
from xinyidai.scoring import queries as scoring
from xinyidai.scoring.rules.releases import ReleaseState
from xinyidai.sources import queries as sources

RECENT: Final = timedelta(days=30)
BROKEN: Final = "bad"
WAITS: Final = "wait"


@dataclass(frozen=True)
class Need:
    """Something that may need somebody: how many, how bad any of them is, and where to act."""

    label: Message
    path: str
    count: int
    tone: str


@get("/operator", guards=[BY_OPERATOR])
async def home(
    request: AnyRequest,
    viewer: NamedDependency[Viewer],
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Response[bytes]:
    """Say what needs somebody, broken things first, then what waits for people."""
    state = request.app.state
    expected_since = whole_since(state.settings.xinyidai_home, started_at=state.started_at)
    processes = await operations.processes(viewer, state.settings.broker_url, expected_since=expected_since)
    needs = [
        Need(msg("进程心跳异常"), "/operator#processes", processes.faults, BROKEN),
        *await _running(session, viewer, now=now),
        *await _objected(session, viewer, now=now),
        *await _waiting(session, viewer, now=now),
    ]
    return page(
        request,
        "desks/operator_home.html",
        who(viewer),
        broken=[one for one in needs if one.count and one.tone == BROKEN],
        waiting=[one for one in needs if one.count and one.tone == WAITS],
        quiet=[one for one in needs if not one.count],
        processes=processes,
    )


async def _running(session: AsyncSession, viewer: Viewer, *, now: datetime) -> list[Need]:
    counts = await operations.delivery_counts(session, viewer)
    jobs = await operations.jobs(session, viewer, now=now)
    given_up = sum(one.count for one in counts if one.standing is Standing.GIVEN_UP)
    failed = sum(one.count for one in counts if one.standing is Standing.FAILED)
    gone = sum(one.outcome is JobOutcome.GIVEN_UP for one in jobs)
    trying = sum(one.outcome is JobOutcome.FAILED for one in jobs)
    behind = sum(one.is_behind for one in await sources.senders(session, viewer, now=now))
    faulty = await sources.with_faults_since(session, viewer, now - RECENT)
    return [
        Need(msg("已停止重试的投递"), "/operator/deliveries?standing=given_up", given_up, BROKEN),
        Need(msg("超过 5 分钟无人处理的投递"), "/operator/deliveries", sum(one.stuck for one in counts), BROKEN),
        Need(msg("已停止重试的任务"), "/operator/jobs", gone, BROKEN),
        Need(msg("超过平常间隔未送数据的来源"), "/operator/sources", behind, BROKEN),
        Need(msg("失败后正在重试的投递"), "/operator/deliveries?standing=failed", failed, WAITS),
        Need(msg("失败后正在重试的任务"), "/operator/jobs", trying, WAITS),
        Need(msg("近 30 天有行因差错被隔离的数据批次"), "/operator/sources", faulty, WAITS),
    ]


async def _objected(session: AsyncSession, viewer: Viewer, *, now: datetime) -> list[Need]:
    owed = await objections.lateness(session, viewer, now=now)
    return [
        Need(msg("超期未答复的异议和修复申请"), "/operator/objections", sum(one.overdue_count for one in owed), BROKEN),
        Need(msg("待答复的异议和修复申请"), "/operator/objections", sum(one.open_count for one in owed), WAITS),
    ]


async def _waiting(session: AsyncSession, viewer: Viewer, *, now: datetime) -> list[Need]:
    releases = await scoring.releases(session)
    lying = await claims.claim_counts(session, viewer)
    needs = [
        Need(
            msg("待第二人发布的模型"),
            "/operator/models",
            sum(one.state is ReleaseState.PROPOSED for one in releases),
            WAITS,
        ),
        Need(
            msg("待人工复核的评分"),
            "/operator/reviews#scores",
            await scoring.open_review_count(session, viewer),
            WAITS,
        ),
        Need(
            msg("待第二人批准的信用代码例外"),
            "/operator/reviews#codes",
            len(await parties.code_exceptions_waiting(session, viewer)),
            WAITS,
        ),
        Need(
            msg("等待资金方处理的代偿申请"),
            "/operator/reviews#claims",
            sum(lying.get(state, 0) for state in UNPAID),
            WAITS,
        ),
    ]
    if Role.ADMIN in viewer.roles:
        open_now = (await parties.open_recoveries(session, viewer.organisation_id)).rows
        needs.append(Need(msg("待第二名管理员确认的账户恢复"), "/people#recover", len(open_now), WAITS))
    return needs


ROUTES = (home,)
