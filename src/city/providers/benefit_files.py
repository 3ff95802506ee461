"""The daily files of social insurance and housing fund: which rows, in which bytes, under which signature."""

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
class Delivery:
    """A day's manifest, its signature, the files by item, and whose rows are in them."""

    client_id: str
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


def made(city: City, client_id: str, listed: Mapping[str, Subscribed], day: date, fault: Kind | None) -> Delivery:
    """Make a day's delivery anew: the same bytes each time while list and yeses are the same."""
    told = day - timedelta(days=STALE_FILE_DAYS) if fault is Kind.STALE else day
    files, codes, about = {}, {}, []
    for item in ITEMS:
        lines = _lines(city, listed, item, told, fault)
        whole_file = gzip.compress(_csv(item, lines, fault).encode(), mtime=0)
        files[item] = whole_file[: len(whole_file) // 2] if fault is Kind.FILE_CUT else whole_file
        codes[item] = sorted({code for code, _ in lines})
        about.append(
            {"name": f"{item}.csv.gz", "rows": len(lines), "bytes": len(whole_file), "sha256": sha256(whole_file)}
        )
    made_at = skewed(datetime.combine(told, MADE_AT, SHANGHAI), fault)
    manifest: dict[str, object] = {"day": told.isoformat(), "made_at": made_at.isoformat(), "files": about}
    content = json.dumps(manifest, separators=(",", ":")).encode()
    key = Ed25519PrivateKey.generate() if fault is Kind.WRONG_SIGNATURE else key_of(city)
    return Delivery(client_id, content, key.sign(content), files, codes)


def _lines(city: City, listed: Mapping[str, Subscribed], item: str, day: date, fault: Kind | None) -> list[Line]:
    """Return what has changed on a day of the firms on the list, all that is known where a firm is new on it."""
    seed = city.city_file.seed
    lines: list[Line] = []
    for code in sorted(listed):
        granted = city.store.token(listed[code].digest)
        if granted is None or item not in granted.scope.split():
            continue
        firm, last = city.registry[code], month_of(day)
        if listed[code].since == day:
            rows = shown(seed, firm, item, last - HISTORY_MONTHS, last, day)
        else:
            rows = changed(seed, firm, item, day)
        lines += [(code, row) for row in rows]
    if fault is Kind.FILE_REPEATED:
        lines += lines
    is_stray = uniform(seed, "stray row", item, day.isoformat()) < STRAY_SHARE
    if is_stray or fault is Kind.FILE_OTHER_FIRM:
        lines = _with_a_stranger(city, listed, item, day, lines)
    return lines


def _with_a_stranger(
    city: City, listed: Mapping[str, Subscribed], item: str, day: date, lines: list[Line]
) -> list[Line]:
    seed, last = city.city_file.seed, month_of(day)
    others = [firm for code, firm in city.registry.items() if code not in listed]
    begins = whole(seed, 0, max(0, len(others) - 1), "stranger", item, day.isoformat())
    for firm in (*others[begins:], *others[:begins]):
        rows = _newest(seed, firm, item, last, day)
        if rows:
            at = whole(seed, 0, len(lines), "stranger stands", item, day.isoformat())
            return [*lines[:at], (firm.credit_code, rows[-1]), *lines[at:]]
    return lines


def _newest(seed: int, firm: Firm, item: str, last: int, day: date) -> list[Monthly]:
    return shown(seed, firm, item, last - 3, last, day)


def _csv(item: str, lines: Sequence[Line], fault: Kind | None) -> str:
    text, unit = io.StringIO(), money(fault)
    writer = csv.writer(text, lineterminator="\r\n")
    header = HEADERS[item]
    writer.writerow([*header[:-2], f"{header[-2]}（元）", header[-1]] if fault is Kind.SCHEMA_DRIFT else header)
    for code, row in lines:
        amounts = [unit(value) if name.endswith("_fen") else str(value) for name, value in vars(row).items()][1:]
        writer.writerow([code, f"{row.month // 12:04d}{row.month % 12 + 1:02d}", *amounts])
    return text.getvalue()
