"""An event and a consumer for both sides of a real broker: the test that announces, and the worker that it starts."""

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from xinyidai.foundation import outbox
from xinyidai.foundation.outbox import Envelope

FOLDER = "WIRING_FOLDER"
MAKE_TABLE = "CREATE TABLE public.poured (tea text NOT NULL); GRANT INSERT ON public.poured TO xinyidai_worker"
WORK = "import builders_wiring; builders_wiring.work()"


@dataclass(frozen=True)
class TeaOrdered:
    """An event of these tests."""

    tea: str

    @property
    def aggregate(self) -> str:
        """Return the tea."""
        return f"tea:{self.tea}"


@outbox.consumes(TeaOrdered, name="tests.pour_tea")
async def pour_tea(session: AsyncSession, envelope: Envelope) -> None:
    """Note the begin outside the transaction and the end inside; in between, wait while the test holds the tea."""
    tea = envelope.body["tea"]
    folder = Path(os.environ[FOLDER])
    with (folder / "begun").open("a", encoding="utf-8") as begun:
        begun.write(f"{tea}\n")
    while (folder / f"{tea}.held").exists():
        await asyncio.sleep(0.02)
    await session.execute(text("INSERT INTO public.poured VALUES (:tea)"), {"tea": tea})


def work() -> None:
    """Write down what `load_rooms` alone registers; then be `xinyidai work`."""
    from xinyidai.cli import main
    from xinyidai.worker import load_rooms

    load_rooms()
    registered = {consumer.name: consumer.event_name for consumer in outbox.consumers()}
    (Path(os.environ[FOLDER]) / "registered.json").write_text(json.dumps(registered), encoding="utf-8")
    main(["work"])
