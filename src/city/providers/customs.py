"""Customs and freight: XML in GBK, by GET with an API key."""

from html import escape

from litestar import Response, get
from litestar.params import FromQuery

from city.providers.answers import AnyRequest, Refused, city_of, is_same
from city.providers.faults import Kind, skewed
from city.providers.gate import Passage, client_of, count_call, pass_by_reference
from city.providers.writing import Asked, asked_for
from city.world.calendar import SHANGHAI, month_of, name_of
from city.world.observing import shown
from city.world.trade import ADVANCED, DISHONEST, REGULAR

PROVIDER = "customs"
MOST_MONTHS = 60
GRADES = {ADVANCED: "高级认证企业", REGULAR: "常规管理企业", DISHONEST: "失信企业"}
TAGS = {
    "exported_fen": "出口额",
    "imported_fen": "进口额",
    "customs_grade": "海关信用等级",
    "shipments": "运单数",
    "freight_fen": "运费",
    "stock_fen": "仓储货值",
}
ROOTS = {"import_export": "进出口统计", "logistics": "物流统计"}

Xml = Response[bytes]


@get("/customs/trade", sync_to_thread=False)
def show_trade(request: AnyRequest, reference: FromQuery[str] = "") -> Xml:
    """Show exports and imports by month; `from` and `to` are months, both included."""
    return _document(request, reference, "import_export")


@get("/customs/freight", sync_to_thread=False)
def show_freight(request: AnyRequest, reference: FromQuery[str] = "") -> Xml:
    """Show waybills, freight and stock by month; `from` and `to` are months, both included."""
    return _document(request, reference, "logistics")


def _document(request: AnyRequest, reference: str, item: str) -> Xml:
    city = city_of(request)
    client = client_of(city, PROVIDER)
    if not is_same(request.headers.get("x-api-key", ""), client.client_secret):
        raise Refused(401, "invalid_client")
    allowance = count_call(request, PROVIDER, client)
    passage = pass_by_reference(request, PROVIDER, reference, item, allowance)
    try:
        asked = asked_for(request.query_params, 1, MOST_MONTHS, until=month_of(passage.known_by) - 1)
        if asked.last_month - asked.first_month >= MOST_MONTHS:
            raise ValueError(f"at most {MOST_MONTHS} months")
    except ValueError as refused:
        raise Refused(422, "invalid_request", str(refused), headers=passage.headers) from None
    passage.log(f"{item} {name_of(asked.first_month)} to {name_of(asked.last_month)}")
    headers = passage.headers | {"Cache-Control": "no-store"}
    text = _written(passage, item, asked)
    return Response(text.encode("gbk"), media_type="application/xml; charset=GBK", headers=headers)


def _written(passage: Passage, item: str, asked: Asked) -> str:
    seed, fault = passage.city.city_file.seed, passage.fault
    made_at = skewed(passage.city.clock.now(), fault).astimezone(SHANGHAI).isoformat(timespec="seconds")
    root = ROOTS[item]
    lines = [
        '<?xml version="1.0" encoding="GBK"?>',
        f'<{root} 统一社会信用代码="{passage.firm.credit_code}" 生成时间="{made_at}">',
    ]
    for row in shown(seed, passage.firm, item, asked.first_month, asked.last_month, passage.known_by):
        values = {name: value for name, value in vars(row).items() if name != "month"}
        inner = "".join(_element(passage, name, value) for name, value in values.items())
        lines.append(f'  <月度 所属月份="{name_of(row.month)}">{inner}</月度>')
    return "\n".join([*lines, f"</{root}>", ""])


def _element(passage: Passage, name: str, value: object) -> str:
    tag = TAGS[name]
    if passage.fault is Kind.SCHEMA_DRIFT and name.endswith("_fen"):
        tag = f"{tag}合计"
    if name.endswith("_fen") and isinstance(value, int):
        return f'<{tag} 币种="CNY" 单位="元">{passage.money(value)}</{tag}>'
    return f"<{tag}>{escape(GRADES.get(str(value), str(value)))}</{tag}>"
