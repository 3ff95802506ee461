"""A browser for the tests: the application served by uvicorn over a test's own database, and Chromium to look at it."""

import asyncio
import os
import re
import socket
import threading
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import pytest
import uvicorn
from builders_applications import an_application, take_back
from builders_engines import lent_sessions
from builders_examples import is_full_run
from chromium import CHROMIUM
from conftest import Database
from litestar import Litestar
from playwright.async_api import Browser, BrowserContext, Page, Request

from xinyidai.access.rules import OrganisationKind, Viewer
from xinyidai.foundation.clock import AnchoredClock, wall_now
from xinyidai.foundation.settings import DatabaseRole

NODE_MODULES = Path(__file__).resolve().parents[1] / "frontend_templates" / "node_modules"
AXE = NODE_MODULES / "axe-core" / "axe.min.js"
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1440, "height": 900}
NARROW = {"width": 320, "height": 640}
SIZES = {"narrow": NARROW, "phone": PHONE, "desk": DESK}
LOCALES = {"zh": "zh-CN", "en": "en-GB"}

both_languages = pytest.mark.parametrize("language", ["zh", pytest.param("en", marks=pytest.mark.long)])
"""A desk's pages differ between languages by their words alone: the ordinary run looks at them in Chinese."""

PICTURES = os.environ.get("PAGE_PICTURES", "")
"""A folder: every page that a test opens is pictured into it, to be looked at."""

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


class Place(Protocol):
    """Where a platform is served."""

    url: str


@dataclass
class Served:
    """The served application: its address, and the application for what a test registers with it."""

    url: str
    app: Litestar


@asynccontextmanager
async def a_server(
    database: Database, *, now: datetime, sandbox: bool = True, home: Path | None = None
) -> AsyncGenerator[Served]:
    """Serve the application from a thread with an event loop and a pool of its own; business time stands at `now`."""
    update: dict[str, object] = {"sandbox": sandbox, "requests_per_minute": 100_000}
    if home is not None:
        update["xinyidai_home"] = home
    settings = database.settings.model_copy(update=update)
    app = an_application(settings, database.app, clock=AnchoredClock(wall_now(), now, rate=0.0))
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off", timeout_graceful_shutdown=1))

    def run() -> None:
        async def serve() -> None:
            async with lent_sessions(settings, DatabaseRole.APP) as app.state["sessions"]:
                await server.serve(sockets=[listener])

        asyncio.run(serve())

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while not server.started:
        await asyncio.sleep(0.02)
    try:
        yield Served(f"http://127.0.0.1:{listener.getsockname()[1]}", app)
    finally:
        server.should_exit = True
        await asyncio.to_thread(thread.join, 10)
        listener.close()
        take_back(app)


@dataclass
class Watched:
    """A page, and everything that went wrong on it."""

    page: Page
    url: str
    name: str = ""
    size: str = "phone"
    complaints: list[str] = field(default_factory=list)

    async def open(self, path: str) -> None:
        """Open a page of the platform and wait until it has loaded; streams stay open, so never for silence."""
        await self.page.goto(self.url + path, wait_until="load")
        await self.picture(re.sub(r"[0-9a-f-]{36}", "id", path).strip("/").replace("/", "-") or "start")

    async def picture(self, name: str) -> None:
        """Picture the page as it stands, where pictures are wanted; `open` does so by itself."""
        if PICTURES:
            await self.page.screenshot(path=f"{PICTURES}/{name}-{self.name}.png", full_page=True)

    async def violations(self) -> list[str]:
        """Return what axe-core finds against WCAG 2.2 AA, one line a rule with the first elements."""
        # What scrolls under the bar at the bottom is not covered by it: it can be scrolled up.
        await self.page.evaluate("document.querySelectorAll('.tabbar').forEach(bar => bar.style.position = 'static')")
        if not await self.page.evaluate("'axe' in window"):
            # Every page opened from now on carries it: handed over after loading, it costs more than an examination.
            await self.page.add_init_script(path=AXE)
            await self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = await self.page.evaluate(
            "async () => (await axe.run({"
            "runOnly: ['wcag2a','wcag2aa','wcag21a','wcag21aa','wcag22aa'],"
            # Where each element lies is told of violations alone, and styles are loaded again for no rule among these.
            "resultTypes: ['violations'], preload: {assets: ['media']}}))"
            ".violations.map(v => v.id + ': ' + v.nodes.slice(0, 3).map(n => n.target.join(' ')).join(' | '))"
        )
        return list(found)

    async def faults(self) -> list[str]:
        """Return what is wrong with the page as it stands, on a phone and on a desk; opened narrow, only there.

        The ordinary run examines it as it was opened, and at the other size looks only whether it fits.
        """
        found = []
        sizes = ("narrow",) if self.size == "narrow" else ("phone", "desk")
        for size in sorted(sizes, key=lambda one: one == self.size):
            await self.page.set_viewport_size(SIZES[size])  # type: ignore[arg-type]
            found += [] if await self.is_within_the_window() else [f"{size}: wider than the window"]
            if size == self.size or is_full_run():
                found += [f"{size}: {fault}" for fault in await self.violations()]
        return found

    async def is_within_the_window(self) -> bool:
        """Say whether nothing makes the page wider than its window."""
        return bool(await self.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


@dataclass
class Window:
    """A browser context with its page, lent to one test after the other: a new one costs more than three pages in it.

    After a test that fails it is not lent again.
    """

    page: Page
    hosts: Collection[str] = ()
    complaints: list[str] = field(default_factory=list)

    async def empty(self) -> None:
        """Leave nothing of who was here: other pages, cookies, what the page had loaded."""
        context = self.page.context
        for other in context.pages:
            if other is not self.page:
                await other.close()
        await self.page.goto("about:blank")
        await context.clear_cookies()

    def watch(self) -> None:
        """Note console errors, failed requests and requests to other hosts."""
        self.page.on("console", lambda said: self._complain(f"console: {said.text}") if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self._complain(f"script: {error}"))
        self.page.on("requestfailed", self._note_failure)
        self.page.on("request", self._note_host)

    def _complain(self, what: str) -> None:
        self.complaints.append(what)

    def _note_failure(self, request: Request) -> None:
        if "ERR_ABORTED" not in (request.failure or ""):
            self._complain(f"failed: {request.url} {request.failure}")

    def _note_host(self, request: Request) -> None:
        if urlsplit(request.url).netloc not in self.hosts:
            self._complain(f"other host: {request.url}")


_windows: dict[tuple[object, ...], list[Window]] = {}


@asynccontextmanager
async def a_page(
    browser: Browser,
    served: Place,
    *,
    size: str = "phone",
    language: str = "zh",
    scripts: bool = True,
    is_dark: bool = False,
    other_hosts: Collection[str] = (),
) -> AsyncGenerator[Watched]:
    """Open an empty browser context that notes console errors, failed requests and requests to other hosts.

    `other_hosts` (host:port) are those that a person goes to on purpose, such as the tax office.
    """
    key = (browser, size, language, scripts, is_dark)
    free = _windows.setdefault(key, [])
    if not free:
        context = await browser.new_context(
            viewport=SIZES[size],  # type: ignore[arg-type]
            locale=LOCALES[language],
            bypass_csp=False,
            java_script_enabled=scripts,
            color_scheme="dark" if is_dark else "light",
            service_workers="block",
        )
        free.append(Window(await context.new_page()))
        free[-1].watch()
    window = free.pop()
    await window.page.set_viewport_size(SIZES[size])  # type: ignore[arg-type]
    window.hosts = {urlsplit(served.url).netloc, *other_hosts, ""}
    window.complaints = []
    yield Watched(window.page, served.url, name=f"{size}-{language}", size=size, complaints=window.complaints)
    await window.empty()
    free.append(window)


async def sign_in_as(context: BrowserContext, served: Served, user_id: str, party_id: str) -> None:
    """Give a browser context the session of a simulated person, by the sandbox's own door."""
    answer = await context.request.post(
        f"{served.url}/sandbox/sign-in", form={"user_id": user_id, "party_id": party_id}, max_redirects=0
    )
    assert answer.status == 303, await answer.text()


async def faults_of(
    browser: Browser, database: Database, viewer: Viewer, paths: list[str], *, now: datetime, language: str
) -> dict[str, list[str]]:
    """Open every page and return what is wrong, by path; complaints of the browser stand under the empty path."""
    found: dict[str, list[str]] = {}
    size = "phone" if viewer.is_one_of(OrganisationKind.FIRM, OrganisationKind.SOLE_TRADER) else "desk"
    async with a_server(database, now=now) as served, a_page(browser, served, size=size, language=language) as watched:
        await sign_in_as(watched.page.context, served, str(viewer.principal_id), str(viewer.organisation_id))
        for path in paths:
            await watched.open(path)
            found[path] = await watched.faults()
    found[""] = watched.complaints
    return {path: faults for path, faults in found.items() if faults}
