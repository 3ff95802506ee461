"""How often a serving process looks for garbage in cycles: seldom, and never through what it was loaded with."""

import gc
from typing import Final

YOUNG: Final = 50_000
"""Containers made before a look at the young ones: some ten megabytes at the most. Python's own 700 are fewer than one
request makes."""
MIDDLE, OLD = 20, 20


def collect_seldom() -> None:
    """Keep everything loaded by now out of all later collections, and collect the rest less often.

    Called once a process is ready to serve. Reference counting frees what is in no cycle at once, as ever.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
