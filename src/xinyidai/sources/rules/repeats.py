"""Rows that say what was said before: exact duplicates, numbers used twice, and corrections of what was stored."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pandas as pd

from xinyidai.sources.rules.amounts import BoolArray, IntArray
from xinyidai.sources.rules.checking import Facts

HashArray = npt.NDArray[np.uint64]

NUMBER = ["firm", "direction", "number"]
"""What names an invoice: whose, which way, which number."""

CONTENT = [*NUMBER, "issued_on", "counterparty", "net_fen", "tax_fen", "gross_fen", "is_void"]
"""What an invoice says. Two rows equal in all of it are one row twice."""

_MIX_FIRM = np.uint64(0x9E3779B97F4A7C15)
_MIX_NUMBER = np.uint64(0xC2B2AE3D27D4EB4F)


class SeenNumbers:
    """The invoice numbers of a delivery so far, as sorted 64-bit hashes: 8 bytes a row, whatever the size of the file.

    A hash only says where to look twice; what is a duplicate is decided on the rows themselves.
    """

    def __init__(self) -> None:
        self._sorted: HashArray = np.empty(0, dtype=np.uint64)

    def candidates(self, hashes: HashArray) -> BoolArray:
        """Return which rows' numbers may have been seen before, earlier chunks and the same chunk included."""
        within = pd.Series(hashes).duplicated(keep=False).to_numpy()
        if not self._sorted.size:
            return np.asarray(within, dtype=np.bool_)
        at = np.minimum(np.searchsorted(self._sorted, hashes), self._sorted.size - 1)
        return np.asarray(within | (self._sorted[at] == hashes), dtype=np.bool_)

    def add(self, hashes: HashArray) -> None:
        """Remember the numbers of a chunk."""
        merged = np.concatenate([self._sorted, hashes])
        merged.sort(kind="stable")
        self._sorted = merged


def number_hashes(facts: Facts) -> HashArray:
    """Return a 64-bit hash of each row's firm, direction and number; equal names have equal hashes in every chunk."""
    firms = np.array([(firm.int ^ (firm.int >> 64)) & 0xFFFFFFFFFFFFFFFF for firm in facts.firms], dtype=np.uint64)
    numbers = pd.util.hash_array(facts.number.to_numpy(zero_copy_only=False).astype(object), categorize=False)
    sides = facts.direction.astype(np.uint64)
    mixed: HashArray = (firms[facts.firm] + sides) * _MIX_FIRM ^ numbers * _MIX_NUMBER
    return mixed


def frame_of(facts: Facts) -> pd.DataFrame:
    """Return rows as a frame of their content, for comparing."""
    return pd.DataFrame(
        {
            "firm": facts.firm.astype(np.int64),
            "direction": facts.direction.astype(np.int64),
            "number": facts.number.to_numpy(zero_copy_only=False).astype(object),
            "issued_on": facts.issued_on.astype(np.int64),
            "counterparty": facts.counterparty.to_numpy(zero_copy_only=False).astype(object),
            "net_fen": facts.net_fen,
            "tax_fen": facts.tax_fen,
            "gross_fen": facts.gross_fen,
            "is_void": facts.is_void,
        }
    )


def firm_places(facts: Facts) -> Mapping[UUID, int]:
    """Return where each firm stands in the chunk's list."""
    return {firm: place for place, firm in enumerate(facts.firms)}


@dataclass(frozen=True)
class Repeats:
    """For each row: whether it is an exact duplicate, or else uses the number of another."""

    is_duplicate: BoolArray
    is_reused: BoolArray


def find_repeats(rows: pd.DataFrame, stored: pd.DataFrame) -> Repeats:
    """Compare rows, in the order of the file, with what is stored and with the rows before them.

    Parameters
    ----------
    rows, stored : DataFrame
        Columns of `CONTENT`. Stored facts count whether or not they were corrected since: a file that is delivered
        again does not bring back what a correction replaced.
    """
    known = len(stored)
    both = pd.concat([stored[CONTENT], rows[CONTENT]], ignore_index=True)
    duplicate = both.duplicated(keep="first").to_numpy()
    kept = both[NUMBER][~duplicate]
    reused = np.zeros(len(both), dtype=np.bool_)
    reused[kept.index] = kept.duplicated(keep="first").to_numpy()
    return Repeats(duplicate[known:], reused[known:])


@dataclass(frozen=True)
class Corrections:
    """For each row of a correction: the position of the stored fact it replaces, or why it replaces none (-1)."""

    target: IntArray
    is_duplicate: BoolArray
    has_no_target: BoolArray
    is_anothers: BoolArray
    is_ambiguous: BoolArray


def find_targets(rows: pd.DataFrame, current: pd.DataFrame) -> Corrections:
    """Find what each row of a correction replaces among the current facts that its sender delivered.

    The invoice's number names it; where several current facts bear the number, its day must tell them apart. Two
    different rows for one fact are both ambiguous, and a row that says what is stored already is a duplicate. A number
    that only another organisation's facts bear is another's to correct.

    Parameters
    ----------
    rows : DataFrame
        Columns of `CONTENT`.
    current : DataFrame
        Columns of `CONTENT`, and is_own: whether the sender of the correction delivered the fact.
    """
    count = len(rows)
    repeated = rows.duplicated(subset=CONTENT, keep="first").to_numpy()
    numbered = rows.assign(row=np.arange(count)).merge(
        current.assign(target=np.arange(len(current))), on=NUMBER, suffixes=("", "_stored")
    )
    same = np.logical_and.reduce([numbered[name] == numbered[f"{name}_stored"] for name in CONTENT[len(NUMBER) :]])
    duplicate = repeated | np.isin(np.arange(count), numbered["row"][same])
    known = np.bincount(numbered["row"], minlength=count) > 0
    own = numbered[numbered["is_own"]]
    found = np.bincount(own["row"], minlength=count)
    of_one = found[own["row"]] == 1
    told_apart = own[of_one | (own["issued_on"] == own["issued_on_stored"])]
    matches = np.bincount(told_apart["row"], minlength=count)
    target = np.full(count, -1, dtype=np.int64)
    target[told_apart["row"]] = told_apart["target"]
    wanted = ~duplicate & (matches == 1)
    rivals = pd.Series(target).where(wanted).duplicated(keep=False).to_numpy() & wanted
    return Corrections(
        target=np.where(wanted & ~rivals, target, -1),
        is_duplicate=duplicate,
        has_no_target=~duplicate & ~known,
        is_anothers=~duplicate & known & (found == 0),
        is_ambiguous=(~duplicate & (found > 0) & (matches != 1)) | rivals,
    )
