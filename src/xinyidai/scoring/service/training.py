"""Training a model on the firms that allow it, from their facts and outcomes as they were known."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import pandas as pd
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.access.rules import Viewer
from xinyidai.audit import service as audit
from xinyidai.consents import queries as permitted
from xinyidai.consents import service as consents
from xinyidai.consents.rules import MAX_SUBJECTS, Purpose
from xinyidai.foundation.clock import business_date
from xinyidai.parties.rules import PLATFORM_ID
from xinyidai.profiles import service as profiles
from xinyidai.profiles.rules.readings import INVOICES
from xinyidai.scoring import model, queries
from xinyidai.scoring.rules.outcomes import TooFewLabels, labels
from xinyidai.scoring.service.outcomes import ITEM

LEAST_OF_EACH = 2


@dataclass(frozen=True)
class HeldOut:
    """What a model said of a firm that it had not seen."""

    firm_id: UUID
    fold: int
    pd_ppm: int
    is_default: bool


@dataclass(frozen=True)
class Trained:
    """A model to be proposed, and the cross-validation behind its measures."""

    bundle_text: str
    digest: str
    card: str
    metrics: dict[str, int]
    cv: tuple[HeldOut, ...]


async def train(
    session: AsyncSession, *, as_of: datetime, seed: int, now: datetime, viewer: Viewer | None = None
) -> Trained:
    """Train on every firm with an outcome observed from `as_of` on that consents to `MODEL_TRAINING` now.

    Indicators are of the time before `as_of`, and outcomes of the time from then on: an outcome from before would be
    predicted from its own aftermath. Facts and outcomes are those known at `now`. Needs platform scope; a command's
    work. One audit row for each thousand firms.

    Raises
    ------
    TooFewLabels
        Fewer than two defaults or two others have consent, an outcome and an invoice in the window.
    """
    known = labels(await queries.observations(session, since=business_date(as_of), known_at=now))
    allowed = sorted(
        await permitted.subjects_allowed(
            session,
            sorted(known),
            purpose=Purpose.MODEL_TRAINING,
            item_codes=[INVOICES, ITEM],
            receiver_id=PLATFORM_ID,
            now=now,
        )
    )
    frame = await _frame(session, allowed, as_of=as_of, now=now, viewer=viewer)
    firm_ids = [UUID(str(name)) for name in frame.index]
    defaulted = [known[firm_id] for firm_id in firm_ids]
    defaults = sum(defaulted)
    if min(defaults, len(defaulted) - defaults) < LEAST_OF_EACH:
        raise TooFewLabels(defaults=defaults, others=len(defaulted) - defaults)
    population = f"Firms that consented to training, indicators as of {business_date(as_of).isoformat()}"
    fitted = model.fit(frame, defaulted, population=population, seed=seed)
    return Trained(
        bundle_text=fitted.bundle_text,
        digest=fitted.checked.digest,
        card=fitted.checked.card,
        metrics=fitted.checked.metrics,
        cv=tuple(
            HeldOut(firm_id, fold, pd_ppm, is_default)
            for firm_id, fold, pd_ppm, is_default in zip(
                firm_ids, fitted.folds, fitted.held_out_ppm, defaulted, strict=True
            )
        ),
    )


async def _frame(
    session: AsyncSession, firm_ids: Sequence[UUID], *, as_of: datetime, now: datetime, viewer: Viewer | None
) -> pd.DataFrame:
    frames = [pd.DataFrame()]
    for start in range(0, len(firm_ids), MAX_SUBJECTS):
        chunk = firm_ids[start : start + MAX_SUBJECTS]
        permission = await consents.require(
            session,
            receiver_id=PLATFORM_ID,
            subject_ids=chunk,
            purpose=Purpose.MODEL_TRAINING,
            item_codes=[INVOICES, ITEM],
            now=now,
        )
        frames.append(await profiles.indicators_as_of(session, permission, as_of=as_of, known_at=now))
        await audit.write_down(
            session,
            viewer,
            action="scoring.trained_on",
            subject_ids=chunk,
            object_kind="training",
            object_id=as_of.isoformat(),
            now=now,
            purpose=permission.purpose.value,
            consent_ids=permission.consent_ids[:MAX_SUBJECTS],
        )
    return pd.concat(frames)
