"""Clean records of every item for a made-up crowd of firms: months that hang together, and nothing that is wrong.

A firm has a size, an industry and a growth; its sales, heads, electricity, taxes and reports follow from them, so that
sources agree as they do for an honest firm and an honest owner. Knows nothing of the quality rules.
"""

from datetime import date
from uuid import UUID

import numpy as np
import pandas as pd

MONTHS = 36
FIRST = np.datetime64("2022-01", "M")
YEARS = (2022, 2023, 2024)
TODAY = date(2025, 7, 1)
DATED = (
    *("changed_on", "decided_on", "filed_on", "published_on", "granted_on", "awarded_on", "listed_on", "made_on"),
    *("issued_on", "ended_on", "removed_on", "registered_on"),
)
"""Days after the last of which an owner tells of an event."""
LIMITS = {"social_insurance": (4_200, 22_000, 0.285, 0.375), "housing_fund": (2_500, 24_000, 0.10, 0.24)}
"""Yuan a head and month, and what is paid of the base."""


def clean_records(firms: int, seed: int) -> dict[str, pd.DataFrame]:
    """Return frames by item: `firm_id`, `delivery_no`, `line_no`, `recorded_at` and the item's columns."""
    random = np.random.default_rng(seed)
    ids = [UUID(int=int(seed) << 64 | number) for number in range(1, firms + 1)]
    crowd = _crowd(random, ids)
    months = _months(random, crowd)
    months["rests"] = _resting(np.random.default_rng([seed, 1]), months)
    made = {
        **_filings(random, months),
        **_funds(random, months),
        **_utilities(random, months),
        **_trade(random, months),
        **_years(random, crowd, months),
        **_events(random, crowd),
        "vat_invoice": _invoices(random, months),
        **_holdings(random, crowd, months),
    }
    return {code: _delivered(frame) for code, frame in made.items()}


def established(records: dict[str, pd.DataFrame]) -> dict[object, date]:
    """Return when each firm was established: years before its first record."""
    return {firm: date(2015, 6, 1) for firm in records["electricity"]["firm_id"].unique()}


def _crowd(random: np.random.Generator, ids: list[UUID]) -> pd.DataFrame:
    count = len(ids)
    sales = random.lognormal(11.8, 1.2, count)  # yuan a month
    return pd.DataFrame(
        {
            "firm_id": ids,
            "sales": sales.clip(20_000, 20_000_000),
            "heads": np.maximum(3, (sales / _spread(random, 4_000, 300_000, count)).astype(int)).clip(3, 900),
            "kwh_each": _spread(random, 0.0008, 0.12, count),
            "head_base": random.uniform(4_800, 14_000, count),
            "rate": random.uniform(0.30, 0.36, count),
            "fund_rate": random.choice([0.10, 0.14, 0.16, 0.20, 0.24], count),
            "vat_rate": random.choice([0.01, 0.03, 0.06, 0.13], count),
            "burden": _spread(random, 0.001, 0.08, count),
            "exports": random.random(count) < 0.3,
            "abroad": _spread(random, 0.005, 0.8, count),
            "stocked": _spread(random, 0.05, 8.0, count),
            "assets": _spread(random, 0.2, 8.0, count),
        }
    )


def _spread(random: np.random.Generator, least: float, most: float, count: int) -> np.ndarray:
    """Return values that differ between firms by orders of magnitude, as most of firms' shares do."""
    drawn: np.ndarray = np.exp(random.uniform(np.log(least), np.log(most), count))
    return drawn


def _months(random: np.random.Generator, crowd: pd.DataFrame) -> pd.DataFrame:
    table = crowd.loc[crowd.index.repeat(MONTHS)].reset_index(drop=True)
    number = np.tile(np.arange(MONTHS), len(crowd))
    season = 1 + 0.25 * np.sin(number / 12 * 2 * np.pi)
    table["month"] = (FIRST + number).astype("datetime64[D]").astype(object)
    table["sales"] = table["sales"] * season * random.lognormal(0, 0.4, len(table)).clip(0.25, 4)
    table["heads_now"] = np.maximum(3, (table["heads"] * random.uniform(0.9, 1.1, len(table))).astype(int))
    return table


def _resting(random: np.random.Generator, months: pd.DataFrame) -> np.ndarray:
    """Return the months in which a firm sells nothing and says so: one firm in twenty, around the new year."""
    ids = months["firm_id"].unique()
    resting = months["firm_id"].isin(ids[random.random(len(ids)) < 0.05])
    number = np.array([month.month for month in months["month"]])
    rests: np.ndarray = (resting & (number <= 2)).to_numpy()
    return rests


def _fen(yuan: pd.Series | np.ndarray) -> np.ndarray:
    return np.round(np.asarray(yuan) * 100).astype(np.int64)


def _filings(random: np.random.Generator, months: pd.DataFrame) -> dict[str, pd.DataFrame]:
    parts = []
    for kind, share in (("vat", None), ("surcharge", 0.12), ("income", None), ("stamp", None)):
        vat = months["sales"] * np.minimum(months["burden"], months["vat_rate"])
        paid = {
            "vat": vat,
            "surcharge": vat * (share or 0),
            "income": months["sales"] * months["burden"] * random.uniform(0.1, 0.6, len(months)),
            "stamp": months["sales"] * 0.0003,
        }[kind]
        # Small firms are often exempt, and nobody pays income tax on a loss.
        paid = np.where(random.random(len(months)) < (0.25 if kind != "stamp" else 0.05), 0, paid)
        paid = np.where(months["rests"], 0, paid)
        if kind == "surcharge":
            paid = np.where(parts[0]["paid_fen"] == 0, 0, paid)
        filed = months["month"].to_numpy().astype("datetime64[M]") + 1
        filed = filed.astype("datetime64[D]") + random.integers(0, 15, len(months))
        parts.append(
            pd.DataFrame(
                {
                    "firm_id": months["firm_id"],
                    "month": months["month"],
                    "tax_kind": kind,
                    "declared_sales_fen": np.where(months["rests"], 0, _fen(months["sales"] * 1.03)),
                    "paid_fen": _fen(paid),
                    "filed_on": filed.astype(object),
                }
            )
        )
    return {"tax_filing": pd.concat(parts, ignore_index=True)}


def _funds(random: np.random.Generator, months: pd.DataFrame) -> dict[str, pd.DataFrame]:
    made = {}
    for code, heads, rate in (("social_insurance", "insured", "rate"), ("housing_fund", "depositors", "fund_rate")):
        least, most, _low, _high = LIMITS[code]
        each = (months["head_base"] * random.uniform(0.95, 1.05, len(months))).clip(least, most)
        base = _fen(each * months["heads_now"])
        owes = random.random(len(months)) < 0.05
        due = np.round(base * months[rate].to_numpy()).astype(np.int64)
        part = np.where(owes, random.uniform(-0.4, 0.8, len(months)).clip(0), 1)
        paid = np.round(due * part).astype(np.int64)
        made[code] = pd.DataFrame(
            {
                "firm_id": months["firm_id"],
                "month": months["month"],
                heads: months["heads_now"],
                "base_fen": base,
                "paid_fen": paid,
                "owed_fen": np.where(owes, (due - paid) * random.integers(1, 12, len(months)), 0),
            }
        )
    return made


def _utilities(random: np.random.Generator, months: pd.DataFrame) -> dict[str, pd.DataFrame]:
    made = {}
    price = {"water": (4.0, 5.6), "electricity": (0.55, 1.05), "gas": (2.6, 4.2)}
    for code, name, factor in (("water", "used_m3", 0.02), ("electricity", "used_kwh", 1.0), ("gas", "used_m3", 0.05)):
        used = (months["sales"] * months["kwh_each"] * factor * random.uniform(0.8, 1.2, len(months))).astype(np.int64)
        used = np.maximum(used, 15)
        charged = _fen(used * random.uniform(*price[code], len(months)))
        owed = np.where(random.random(len(months)) < 0.05, charged * random.integers(1, 9, len(months)), 0)
        frame = pd.DataFrame(
            {
                "firm_id": months["firm_id"],
                "month": months["month"],
                name: used,
                "charged_fen": charged,
                "owed_fen": owed,
            }
        )
        if code == "electricity":
            frame["is_cut_off"] = (owed > 0) & (random.random(len(months)) < 0.02)
            frame.loc[frame["is_cut_off"], ["used_kwh", "charged_fen"]] //= 2
            frame["owed_fen"] = np.where(frame["is_cut_off"], frame["charged_fen"], frame["owed_fen"])
        made[code] = frame
    return made


def _trade(random: np.random.Generator, months: pd.DataFrame) -> dict[str, pd.DataFrame]:
    traders = months[months["exports"]].reset_index(drop=True)
    count = len(traders)
    shipments = np.maximum(1, (months["sales"] / random.uniform(3_000, 12_000, len(months))).astype(int))
    return {
        "import_export": pd.DataFrame(
            {
                "firm_id": traders["firm_id"],
                "month": traders["month"],
                "exported_fen": _abroad(random, traders),
                "imported_fen": _abroad(random, traders),
                "customs_grade": random.choice(["advanced", "ordinary"], count),
            }
        ),
        "logistics": pd.DataFrame(
            {
                "firm_id": months["firm_id"],
                "month": months["month"],
                "shipments": shipments,
                "freight_fen": _fen(shipments * _spread(random, 12, 2_000, len(months))),
                "stock_fen": _fen(months["sales"] * months["stocked"] * random.uniform(0.6, 1.6, len(months))),
            }
        ),
    }


def _abroad(random: np.random.Generator, traders: pd.DataFrame) -> np.ndarray:
    count = len(traders)
    value = traders["sales"] * traders["abroad"] * random.lognormal(0, 0.4, count).clip(0.3, 3)
    return np.where(random.random(count) < 0.2, 0, _fen(value))


def _years(random: np.random.Generator, crowd: pd.DataFrame, months: pd.DataFrame) -> dict[str, pd.DataFrame]:
    year = months["month"].to_numpy().astype("datetime64[Y]").astype(int) + 1970
    sums = months.assign(year=year).groupby(["firm_id", "year"], as_index=False).agg(sales=("sales", "sum"))
    table = sums.merge(crowd.drop(columns="sales"), on="firm_id")
    count = len(table)
    revenue = table["sales"] * random.uniform(0.97, 1.08, count)
    profit = revenue * random.choice([-1, 1, 1], count) * _spread(random, 0.002, 0.5, count)
    keyed = table[["firm_id", "year"]]
    return {
        "annual_report": keyed.assign(
            staff=np.maximum(3, (table["heads"] * random.uniform(0.95, 1.3, count)).astype(int)),
            assets_fen=_fen(revenue * table["assets"] * random.uniform(0.8, 1.25, count)),
            revenue_fen=_fen(revenue),
        ),
        "tax_grade": keyed.assign(grade=random.choice(["A", "B", "M", "C"], count)),
        "environment": keyed.assign(grade=random.choice(["green", "blue", "yellow"], count)),
        "self_declared": keyed.assign(
            revenue_fen=_fen(revenue),
            profit_fen=_fen(profit),
            debt_fen=_fen(np.where(random.random(count) < 0.2, 0, revenue * table["assets"] * 0.5)),
        ),
    }


def _events(random: np.random.Generator, crowd: pd.DataFrame) -> dict[str, pd.DataFrame]:
    count = len(crowd)
    day = np.datetime64("2022-02-01") + random.integers(0, 1_100, count)
    on, year = day.astype(object), day.astype("datetime64[Y]").astype(int) + 1970
    number = np.arange(count) + 1
    after = (day + random.integers(90, 900, count)).astype(object)
    firm = crowd[["firm_id"]]
    kind = random.choice(["fine", "warning", "confiscation"], count)
    fine = np.round(random.uniform(500, 90_000, count)).astype(np.int64) * 100
    right = random.choice(["invention", "utility_model", "trademark"], count)
    known = (day < np.datetime64("2024-06-01")) & (random.random(count) < 0.5)
    ended = np.where(known, (day + random.integers(20, 300, count)).astype(object), None)
    listed = random.choice(["守信红名单", "严重失信名单", "经营异常名录"], count)
    return {
        "registration_change": firm.assign(
            changed_on=on, what=random.choice(["name", "address"], count), before="旧值", after="新值"
        ),
        "permit": firm.assign(
            document_no=[f"渝许准字〔{y}〕{n}号" for y, n in zip(year, number, strict=True)],
            what="食品经营许可",
            decided_on=on,
            valid_until_on=(day + 1_825).astype(object),
        ),
        "penalty": firm.assign(
            document_no=[f"渝市监处〔{y}〕{n}号" for y, n in zip(year, number, strict=True)],
            reason="未按规定公示信息",
            kind=kind,
            fined_fen=np.where(kind == "fine", fine, np.nan),
            decided_on=on,
            published_until_on=after,
        ),
        "judgment": firm.assign(
            case_no=[f"（{y}）渝0103民初{n}号" for y, n in zip(year, number, strict=True)],
            role=random.choice(["plaintiff", "defendant"], count),
            cause="买卖合同纠纷",
            claimed_fen=_fen(random.lognormal(11, 1, count)),
            decided_on=on,
        ),
        "enforcement": firm.assign(
            case_no=[f"（{y}）渝0103执{n}号" for y, n in zip(year, number, strict=True)],
            owed_fen=_fen(random.lognormal(11, 1, count)),
            filed_on=on,
            is_dishonest=random.random(count) < 0.2,
            ended_on=ended,
        ),
        "tax_arrears": firm.assign(tax_kind="vat", owed_fen=_fen(crowd["sales"] * 0.05), published_on=on),
        "intellectual_property": firm.assign(
            right_no=[f"{2_021_000_000_00 + n}.{n % 10}" for n in number], kind=right, granted_on=on, status="valid"
        ),
        "science_technology": firm.assign(
            recognition="高新技术企业",
            valid_until_on=(day + 1_095).astype(object),
            research_spent_fen=_fen(crowd["sales"] * random.uniform(0.2, 1, count)),
        ),
        "tender": firm.assign(
            project_no=[f"CQ{y}-{n:05d}" for y, n in zip(year, number, strict=True)],
            awarded_fen=_fen(random.lognormal(12, 1, count)),
            awarded_on=on,
        ),
        "honour_list": firm.assign(
            list=listed,
            is_negative=listed != "守信红名单",
            listed_on=on,
            removed_on=np.where(known, (day + random.integers(30, 300, count)).astype(object), None),
        ),
        "commitment": firm.assign(kind="告知承诺", made_on=on, is_broken=random.random(count) < 0.1),
    }


def _invoices(random: np.random.Generator, months: pd.DataFrame) -> pd.DataFrame:
    each = 3
    table = months.loc[months.index.repeat(each)].reset_index(drop=True)
    count = len(table)
    is_sale = np.arange(count) % each < 2
    net = _fen(np.where(is_sale, table["sales"] / 2, table["sales"] * 0.6) * random.uniform(0.98, 1.0, count))
    tax = np.round(net * table["vat_rate"].to_numpy()).astype(np.int64)
    made = pd.DataFrame(
        {
            "firm_id": table["firm_id"],
            "invoice_no": [f"{26_000_000 + n:08d}" for n in range(count)],
            "is_sale": is_sale,
            "issued_on": (table["month"].to_numpy().astype("datetime64[D]") + random.integers(0, 28, count)).astype(
                object
            ),
            "counterparty": np.char.add("重庆客户", random.integers(1, 500, count).astype(str)).astype(object),
            "net_fen": net,
            "tax_fen": tax,
            "gross_fen": net + tax,
            "is_void": random.random(count) < 0.03,
            "rests": table["rests"],
        }
    )
    return made[~made["rests"]].drop(columns="rests").reset_index(drop=True)


def _holdings(random: np.random.Generator, crowd: pd.DataFrame, months: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return what came last: units of real estate, farms' land and subsidies, money in and out of accounts."""
    count, number = len(crowd), np.arange(len(crowd)) + 1
    registered = np.datetime64("2016-02-01") + random.integers(0, 3_000, count)
    farms = crowd[["firm_id"]].assign(
        kind=random.choice(["cooperative", "family_farm", "enterprise", "household"], count),
        land=crowd["sales"] * _spread(random, 0.5, 20, count),
        # From plain grain money, cents a square metre, to greenhouses.
        each=_spread(random, 0.05, 2, count),
    )
    farms = farms.merge(pd.DataFrame({"year": YEARS}), how="cross")
    land_m2 = np.round(farms["land"] * random.uniform(0.7, 1.4, len(farms))).astype(np.int64)
    told = _fen(land_m2 * farms["each"] * random.uniform(0.5, 2, len(farms)))
    subsidy = np.where(random.random(len(farms)) < 0.3, 0, told)
    received = months["sales"] * random.lognormal(0, 0.5, len(months)).clip(0.25, 4) + 1_000
    paid = received * random.lognormal(0, 0.4, len(months)).clip(0.3, 3)
    return {
        "real_estate": crowd[["firm_id"]].assign(
            unit_no=[f"500103{n:06d}GB{n % 90_000 + 10_000:05d}F{n:08d}" for n in number],
            area_m2=np.maximum(12, crowd["sales"] * crowd["assets"] * _spread(random, 0.001, 0.1, count)).astype(int),
            is_mortgaged=random.random(count) < 0.3,
            is_seized=random.random(count) < 0.03,
            registered_on=registered.astype(object),
        ),
        "farm_entity": farms[["firm_id", "kind"]].assign(land_m2=land_m2, subsidy_fen=subsidy, year=farms["year"]),
        "cash_flow": months[["firm_id", "month"]].assign(received_fen=_fen(received), paid_fen=_fen(paid)),
    }


def _delivered(frame: pd.DataFrame) -> pd.DataFrame:
    """Say where each row came from: told some days after its month, year or event had ended."""
    made = frame.reset_index(drop=True)
    if "received_fen" in made or "unit_no" in made:
        # Told when somebody asks, and not as the months go by.
        told = np.full(len(made), np.datetime64("2025-01-20"))
    elif "month" in made:
        told = (made["month"].to_numpy().astype("datetime64[M]") + 1).astype("datetime64[D]") + 18
    elif "year" in made:
        told = (made["year"].to_numpy() - 1969).astype("datetime64[Y]").astype("datetime64[D]") + 75
    elif "recognition" in made:
        told = made["valid_until_on"].to_numpy().astype("datetime64[D]") - 1_060
    else:
        days = made[[name for name in DATED if name in made]].to_numpy().astype("datetime64[D]")
        told = np.fmax.reduce(days, axis=1) + 1
    return made.assign(delivery_no=1, line_no=np.arange(1, len(made) + 1), recorded_at=pd.to_datetime(told, utc=True))


def invoice_months(invoices: pd.DataFrame) -> pd.DataFrame:
    """Return the invoices of firms added up by month, void ones left out."""
    valid = invoices[~invoices["is_void"].astype(bool)]
    month = valid["issued_on"].to_numpy().astype("datetime64[M]").astype("datetime64[D]")
    is_sale = valid["is_sale"].astype(bool)
    parts = pd.DataFrame(
        {
            "firm_id": valid["firm_id"],
            "month": month,
            "sales_net_fen": valid["net_fen"].where(is_sale, 0),
            "sales_tax_fen": valid["tax_fen"].where(is_sale, 0),
            "purchases_net_fen": valid["net_fen"].where(~is_sale, 0),
            "purchases_tax_fen": valid["tax_fen"].where(~is_sale, 0),
            "sales": is_sale.astype(np.int64),
        }
    )
    return parts.groupby(["firm_id", "month"], as_index=False).sum()
