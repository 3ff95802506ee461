"""How scores are made again: from the vector by the release and scale it names, and from the facts as known then."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.consents import queries as permitted
from xinyidai.consents.rules import Permission, Purpose
from xinyidai.decisions.queries import register_records
from xinyidai.decisions.rules import Decided, Outcome, Vector
from xinyidai.decisions.service import register_replayer
from xinyidai.profiles import service as profiles
from xinyidai.profiles.model import frame_of
from xinyidai.profiles.rules.readings import INVOICES
from xinyidai.scoring import queries
from xinyidai.scoring.rules.releases import BundleRefused
from xinyidai.scoring.rules.scores import KIND
from xinyidai.scoring.service.deciding import indicators_in, judge, vector_for
from xinyidai.scoring.service.releasing import model_of
from xinyidai.sources.queries.purged import firms_purged

_NOT_MADE: Outcome = {}


class ScoreReplayer:
    """Scores again what was scored; needs platform scope."""

    async def outcomes_from_vectors(self, session: AsyncSession, decided: Sequence[Decided]) -> Sequence[Outcome]:
        """Score each vector by its own release and scale; a release that was altered makes no outcome at all."""
        again: dict[UUID, Outcome] = {}
        groups: dict[tuple[str, str], list[Decided]] = defaultdict(list)
        for one in decided:
            groups[one.versions["release"], one.versions["scale"]].append(one)
        for (digest, version), members in groups.items():
            scale = await queries.scale_of(session, version)
            try:
                ready = await model_of(session, digest)
            except BundleRefused:
                continue
            if scale is None:
                continue
            scored = ready.score(frame_of([indicators_in(one.vector) for one in members]))
            again |= {one.id: judge(made, scale).outcome for one, made in zip(members, scored, strict=True)}
        return [again.get(one.id, _NOT_MADE) for one in decided]

    async def vectors_from_facts(
        self, session: AsyncSession, decided: Sequence[Decided], *, now: datetime
    ) -> Sequence[Vector | None]:
        """Draw each firm's indicators again as of the same moment, from the facts known at the same moment.

        Under the purpose and receiver of the score, and only of firms whose consent still stands and of whom no fact
        that was known then is purged: None for the others.
        """
        again: dict[UUID, Vector | None] = {}
        groups: dict[tuple[str, str, str, str], list[Decided]] = defaultdict(list)
        for one in decided:
            names = ("as_of", "known_at", "purpose", "receiver_id")
            as_of, known_at, purpose, receiver_id = (str(one.vector[name]) for name in names)
            groups[as_of, known_at, purpose, receiver_id].append(one)
        for (as_of, known_at, purpose, receiver_id), members in groups.items():
            moments = {"as_of": datetime.fromisoformat(as_of), "known_at": datetime.fromisoformat(known_at)}
            readable = await permitted.subjects_allowed(
                session,
                sorted({one.subject_id for one in members}),
                purpose=Purpose(purpose),
                item_codes=[INVOICES],
                receiver_id=UUID(receiver_id),
                now=now,
            )
            # A firm that consented again may be read, and still what was known then is gone.
            readable -= await firms_purged(session, readable, item_code=INVOICES, known_at=moments["known_at"])
            permission = Permission(
                subject_ids=frozenset(readable),
                consent_ids=(),
                purpose=Purpose(purpose),
                receiver_id=UUID(receiver_id),
                item_codes=(INVOICES,),
                at=now,
            )
            drawn = await profiles.draw(session, permission, **moments)
            for one in members:
                if one.subject_id in readable:
                    again[one.id] = vector_for(drawn, one.subject_id, permission, **moments)
        return [again.get(one.id) for one in decided]


register_replayer(KIND, ScoreReplayer())
register_records(KIND, "score", queries.scores_by_decision)
