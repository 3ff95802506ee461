"""A bank in one file, written from the API description alone: it indicates, and offers once it was chosen.

    XYD_URL=http://127.0.0.1:8000 XYD_KEY=xyd_... python3 bank.py

Standard library only. The key needs the scopes demands:read, offers:read, offers:write, products:read, profiles:read.
An offer is proposed by the key and issued by a person of the bank: a key never approves.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request
from datetime import datetime, timedelta

URL, KEY = os.environ.get("XYD_URL", "http://127.0.0.1:8000"), os.environ.get("XYD_KEY", "")
SALES_PER_YUAN_LENT = 3
SPREAD_BP = 50
POLL_SECONDS = 5


def call(method, path, body=None):
    """Return the answer's JSON; a refusal is printed with its code and returned as None."""
    headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{URL}/api/v1{path}", data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refused:
        print(method, path, refused.code, json.load(refused).get("code"), file=sys.stderr)
        return None


def after(moment, days):
    """Return a moment some days after one that the platform told, so that no clock of ours is asked."""
    return (datetime.fromisoformat(moment) + timedelta(days=days)).isoformat()


def indicate(sent, demand, product):
    """Name a range where a year's sales carry the amount, else decline."""
    profile = call("GET", f"/dispatches/{sent['id']}/profile") or {"indicators": []}
    sales_fen = next((one["value"] for one in profile["indicators"] if one["code"] == "sales_12m_fen"), None) or 0
    most_fen = min(demand["amount_fen"], product["max_amount_fen"], int(sales_fen) // SALES_PER_YUAN_LENT)
    if most_fen < product["min_amount_fen"]:
        return call("POST", f"/dispatches/{sent['id']}/decline", {"reason": "capacity_cash_flow"})
    least = {"min_amount_fen": product["min_amount_fen"], "min_rate_bp": product["min_rate_bp"]}
    most = {"max_amount_fen": most_fen, "max_rate_bp": min(product["min_rate_bp"] + SPREAD_BP, product["max_rate_bp"])}
    term = {"min_term_months": demand["term_months"], "max_term_months": demand["term_months"]}
    how = {"repayment_kinds": [demand["repayment_kind"]], "valid_until": after(sent["sent_at"], 15)}
    return call("POST", f"/dispatches/{sent['id']}/indications", least | most | term | how)


def offer(sent, demand):
    """Offer the best of what was indicated."""
    shown = call("GET", f"/demands/{sent['demand_id']}/indications") or {"indications": []}
    own = next(one for one in shown["indications"] if one["dispatch_id"] == sent["id"])
    terms = {"amount_fen": own["max_amount_fen"], "rate_bp": own["min_rate_bp"], "term_months": demand["term_months"]}
    how = {"repayment_kind": demand["repayment_kind"], "valid_until": after(sent["chosen_at"], 8)}
    return call("POST", f"/dispatches/{sent['id']}/offers", terms | how)


def work():
    """Answer everything that waits; return how much did."""
    answered = 0
    for status, act in (("sent", indicate), ("chosen", offer)):
        for sent in (call("GET", f"/dispatches?status={status}") or {"dispatches": []})["dispatches"]:
            demand = call("GET", f"/demands/{sent['demand_id']}")
            extra = [call("GET", f"/products/{sent['product_id']}")] if act is indicate else []
            answered += demand is not None and act(sent, demand, *extra) is not None
    return answered


if __name__ == "__main__":
    while True:
        print(f"{work()} answered", flush=True)
        time.sleep(POLL_SECONDS)
