"""The daily files of social insurance and housing fund: which rows, in which bytes, under which signature."""

import asyncio
import csv
import gzip
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from city.consenting import reference_digest
from city.living.city import City
from city.providers.faults import Kind, skewed
from city.providers.gate import STALE_FILE_DAYS, money
from city.providers.signatures import sha256
from city.world.calendar import SHANGHAI, day_of, month_of
from city.world.draws import uniform, whole
from city.world.observing import changed, shown
from city.world.population import Firm
from city.world.strain import Monthly

ITEMS = ("social_insurance", "housing_fund")
HEADERS: Mapping[str, tuple[str, ...]] = {
    "social_insurance": ("统一社会信用代码", "费款所属月份", "参保人数", "缴费基数总额", "实缴金额", "欠费金额"),
    "housing_fund": ("统一社会信用代码", "汇缴月份", "缴存人数", "缴存基数总额", "实缴金额", "欠缴金额"),
}
HISTORY_MONTHS = 36
"""So many months stand in the first file in which a firm is."""
STRAY_SHARE = 0.05
"""Share of files with a row of a firm that nobody asked for: the receiver must throw it away."""
MADE_AT = time(6)
LIST, KEY = "subscription", "benefits key"

Line = tuple[str, Monthly]


@dataclass(frozen=True)
class Subscribed:
    """A firm on the list: by which reference, from which day's file on, and the fault that its first file plays."""

    digest: str
    since: date
    forced: Kind | None


@dataclass(frozen=True)
class Order:
    """All that a day's files are made of: the firms with the day from which each is in them and its items."""

    client_id: str
    day: date
    firms: tuple[tuple[str, date, str], ...]
    fault: Kind | None


@dataclass(frozen=True)
class Delivery:
    """A day's manifest, its signature, the files by item, and whose rows are in them."""

    manifest: bytes
    signature: bytes
    files: Mapping[str, bytes]
    credit_codes: Mapping[str, Sequence[str]]


def subscribed_on(city: City, reference: str, forced: Kind | None, known: Subscribed | None) -> Subscribed:
    """Return how a firm stands on a new list: since when it did with the same reference, else from tomorrow on."""
    digest = reference_digest("benefits", reference)
    if known is not None and known.digest == digest:
        return known
    return Subscribed(digest, day_of(city.clock.now()) + timedelta(days=1), forced)


def keep_list(city: City, client_id: str, listed: Mapping[str, Subscribed]) -> None:
    """Keep a client's list in place of the one before."""
    body: dict[str, object] = {
        code: [one.digest, one.since.isoformat(), one.forced.value if one.forced else ""]
        for code, one in listed.items()
    }
    city.store.remember(LIST, client_id, "list", body)


def kept_list(city: City, client_id: str) -> dict[str, Subscribed]:
    """Return a client's list by credit code."""
    found = city.store.remembered(LIST, client_id).get("list", {})
    return {
        code: Subscribed(str(one[0]), date.fromisoformat(str(one[1])), Kind(one[2]) if one[2] else None)
        for code, one in found.items()
        if isinstance(one, list)
    }


def key_of(city: City) -> Ed25519PrivateKey:
    """Return the key with which the centre signs; it is made once in a city's life."""
    kept = city.store.remembered(KEY, "city").get("signing")
    if kept is not None:
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(str(kept["private"])))
    key = Ed25519PrivateKey.generate()
    city.store.remember(KEY, "city", "signing", {"private": key.private_bytes_raw().hex()})
    return key


class Composer:
    """Makes the files in a thread, and keeps the newest: manifest and files of a day are asked for together."""

    def __init__(self, city: City) -> None:
        self._city = city
        self._lock = asyncio.Lock()
        self._newest: tuple[Order, Delivery] | None = None

    async def delivery(self, order: Order) -> Delivery:
        """Return what is ordered: the same bytes for the same order."""
        async with self._lock:
            if self._newest is None or self._newest[0] != order:
                seed, registry, key = self._city.city_file.seed, self._city.registry, key_of(self._city)
                self._newest = (order, await asyncio.to_thread(made, seed, registry, key, order))
            return self._newest[1]


def made(seed: int, registry: Mapping[str, Firm], key: Ed25519PrivateKey, order: Order) -> Delivery:
    """Make a day's files and sign what is in them."""
    fault = order.fault
    told = order.day - timedelta(days=STALE_FILE_DAYS) if fault is Kind.STALE else order.day
    files, codes, about = {}, {}, []
    for item in ITEMS:
        lines = _lines(seed, registry, item, told, order)
        whole_file = gzip.compress(_csv(item, lines, fault).encode(), mtime=0)
        files[item] = whole_file[: len(whole_file) // 2] if fault is Kind.FILE_CUT else whole_file
        codes[item] = sorted({code for code, _ in lines})
        about.append(
            {"name": f"{item}.csv.gz", "rows": len(lines), "bytes": len(whole_file), "sha256": sha256(whole_file)}
        )
    made_at = skewed(datetime.combine(told, MADE_AT, SHANGHAI), fault)
    manifest: dict[str, object] = {"day": told.isoformat(), "made_at": made_at.isoformat(), "files": about}
    content = json.dumps(manifest, separators=(",", ":")).encode()
    signing = Ed25519PrivateKey.generate() if fault is Kind.WRONG_SIGNATURE else key
    return Delivery(content, signing.sign(content), files, codes)


def _lines(seed: int, registry: Mapping[str, Firm], item: str, day: date, order: Order) -> list[Line]:
    """Return what has changed on a day of the firms on the list, all that is known where a firm is new on it."""
    lines: list[Line] = []
    for code, since, scope in order.firms:
        if item in scope.split() and since <= day:
            last = month_of(day)
            if since == day:
                rows = shown(seed, registry[code], item, last - HISTORY_MONTHS, last, day)
            else:
                rows = changed(seed, registry[code], item, day)
            lines += [(code, row) for row in rows]
    if order.fault is Kind.FILE_REPEATED:
        lines += lines
    is_stray = uniform(seed, "stray row", item, day.isoformat()) < STRAY_SHARE
    if is_stray or order.fault is Kind.FILE_OTHER_FIRM:
        listed = {code for code, _, _ in order.firms}
        others = [firm for code, firm in registry.items() if code not in listed]
        lines = _with_a_stranger(seed, others, item, day, lines)
    return lines


def _with_a_stranger(seed: int, others: Sequence[Firm], item: str, day: date, lines: list[Line]) -> list[Line]:
    last, begins = month_of(day), whole(seed, 0, max(0, len(others) - 1), "stranger", item, day.isoformat())
    for firm in (*others[begins:], *others[:begins]):
        rows = shown(seed, firm, item, last - 3, last, day)
        if rows:
            at = whole(seed, 0, len(lines), "stranger stands", item, day.isoformat())
            return [*lines[:at], (firm.credit_code, rows[-1]), *lines[at:]]
    return lines


def _csv(item: str, lines: Sequence[Line], fault: Kind | None) -> str:
    text, unit = io.StringIO(), money(fault)
    writer = csv.writer(text, lineterminator="\r\n")
    header = HEADERS[item]
    writer.writerow([*header[:-2], f"{header[-2]}（元）", header[-1]] if fault is Kind.SCHEMA_DRIFT else header)
    for code, row in lines:
        amounts = [unit(value) if name.endswith("_fen") else str(value) for name, value in vars(row).items()][1:]
        writer.writerow([code, f"{row.month // 12:04d}{row.month % 12 + 1:02d}", *amounts])
    return text.getvalue()
