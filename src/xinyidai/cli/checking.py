"""What `verify` looks at: sealed streams, facts, and the books."""

from dataclasses import dataclass
from datetime import datetime

from xinyidai.access.service import act_as_platform
from xinyidai.foundation.database import Sessions, in_transaction
from xinyidai.foundation.sealing import Found, SealState, seal, streams
from xinyidai.foundation.sealing import verify as verify_stream
from xinyidai.ledger import queries as ledger
from xinyidai.sources import service as sources


@dataclass(frozen=True)
class Verified:
    """Everything that verify found, and how much it looked at."""

    states: tuple[SealState, ...]
    found: tuple[Found, ...]
    book_faults: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        """Say whether nothing is wrong."""
        return not (self.found or self.book_faults)


async def verify_everything(auditor: Sessions) -> Verified:
    """Recompute every seal, every fact's leaf and every balance, with the auditor's rights: it can only read."""
    states: list[SealState] = []
    found: list[Found] = []
    for stream in streams():
        async with in_transaction(auditor) as session:
            state = await verify_stream(session, stream)
        states.append(state)
        found.extend(state.found)
    async with in_transaction(auditor) as session:
        facts = await sources.verify_facts(session)
        states.append(facts)
        found.extend(facts.found)
        faults = [f"{fault.rule.value} {fault.ref}: {fault.says}" for fault in await ledger.check_books(session)]
    return Verified(tuple(states), tuple(sorted(found)), tuple(faults))


async def seal_everything(worker: Sessions, *, now: datetime) -> int:
    """Seal what has committed, facts first since their seals are sealed in turn; return how many rows."""
    async with in_transaction(worker) as session:
        await act_as_platform(session, now=now)
        await sources.seal_facts(session, now=now)
    # In a second transaction: seals of facts are rows to be sealed, and only what has committed is.
    async with in_transaction(worker) as session:
        await act_as_platform(session, now=now)
        return (await seal(session, *streams(), now=now)).total()
