"""A tax bureau for tests: a real HTTP server that gives tokens and pages, or refuses as a test says."""

import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from builders_sources import Row

CLIENT_ID, CLIENT_SECRET = "platform", "a secret between the platform and the bureau"


@dataclass
class Bureau:
    """What the bureau holds and does. `refusals` are answered first, one a call: status and headers."""

    url: str = ""
    credit_code: str = ""
    rows: list[Row] = field(default_factory=list)
    page_size: int = 500
    codes: set[str] = field(default_factory=set)
    refusals: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    before_page: Callable[[int], None] = lambda _number: None
    calls: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)

    def answer(self, method: str, path: str, form: dict[str, str], bearer: str) -> tuple[int, dict[str, object]]:
        """Answer a call."""
        place = urlsplit(path)
        self.calls.append(f"{method} {place.path}")
        if place.path == "/tax/token":
            return self._token(form)
        if place.path == "/tax/revoke":
            self.tokens.discard(form["token"])
            return 200, {}
        if bearer not in self.tokens:
            return 401, {"error": "invalid_token"}
        asked = {name: many[0] for name, many in parse_qs(place.query).items()}
        return 200, self._page(int(asked["page"]), asked)

    def _token(self, form: dict[str, str]) -> tuple[int, dict[str, object]]:
        known = (form["client_id"], form["client_secret"]) == (CLIENT_ID, CLIENT_SECRET)
        if not known or form["code"] not in self.codes:
            return 400, {"error": "invalid_grant"}
        self.codes.discard(form["code"])
        token = f"token for {form['code']}"
        self.tokens.add(token)
        return 200, {"access_token": token, "token_type": "Bearer"}

    def _page(self, number: int, asked: dict[str, str]) -> dict[str, object]:
        self.before_page(number)
        kept = [row for row in self.rows if asked["from"] <= str(row["issued_on"])[:7] <= asked["to"]]
        start = (number - 1) * self.page_size
        return {
            "credit_code": self.credit_code,
            "rows": kept[start : start + self.page_size],
            "page": number,
            "pages": -(-len(kept) // self.page_size),
            "covers": {"from": asked["from"], "to": asked["to"]},
        }


@contextmanager
def a_bureau(credit_code: str) -> Generator[Bureau]:
    """Yield a bureau that listens on the loopback."""
    bureau = Bureau(credit_code=credit_code)

    class Door(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            self._answer({})

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._answer({name: many[0] for name, many in parse_qs(text).items()})

        def _answer(self, form: dict[str, str]) -> None:
            headers: dict[str, str] = {}
            bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
            if bureau.refusals:
                status, headers = bureau.refusals.pop(0)
                bureau.calls.append(f"refused {status}")
                body = b""
            else:
                status, said = bureau.answer(self.command, self.path, form, bearer)
                body = json.dumps(said).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: object) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    server.daemon_threads = True
    bureau.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield bureau
    server.shutdown()
    server.server_close()
