"""serve, work, beat: the three processes of a running platform."""

import os
import socket
import sys

import click
import uvicorn

from xinyidai.app import create_app
from xinyidai.cli.surroundings import Surroundings, require_free_port, say, surroundings
from xinyidai.foundation.database import make_engine, make_sessions
from xinyidai.foundation.heartbeats import Heart, beating_in_loop
from xinyidai.foundation.memory import collect_seldom
from xinyidai.foundation.pages.assets import missing_assets
from xinyidai.foundation.settings import DatabaseRole
from xinyidai.worker import beating, connect_broker, load_rooms

HOST = "127.0.0.1"
PORT = 8000


@click.command()
@click.option("--host", default=HOST, show_default=True, help="Address to listen on.")
@click.option("--port", default=PORT, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
@click.option(
    "--sends",
    default="all",
    show_default=True,
    type=click.Choice(["all", "outside"]),
    help="Which committed deliveries to hand to the broker; `outside` leaves all but outside work to a driver.",
)
def serve(host: str, port: int, sends: str) -> None:
    """Serve the pages, the JSON API under /api/v1 and its reference page under /api."""
    require_free_port(host, port)
    if missing_assets():
        raise click.ClickException("the pages' styles and scripts are not installed; `python3 run.py serve` does that")
    with surroundings(with_broker=True) as around:
        serve_http(around, host=host, port=port, only_outside=sends == "outside")


def serve_http(around: Surroundings, *, host: str, port: int, only_outside: bool = False) -> None:
    """Serve until told to stop; with `only_outside`, other deliveries wait for who hands them to the broker."""
    broker_url = _broker_url(around)
    load_rooms()
    connect_broker(broker_url, only_outside=only_outside)
    sessions = make_sessions(make_engine(around.settings.dsn(DatabaseRole.APP)))
    # Several web processes on one host are one name: what matters is that one of them was heard.
    heart = Heart(broker_url, f"web@{socket.gethostname()}", file=None)
    app = create_app(
        around.settings,
        sessions,
        clock=around.settings.clock(),
        lifespan=[beating_in_loop(heart)],
    )
    collect_seldom()
    say(f"Serving on http://{host}:{port} (API reference under /api). Ctrl-C ends it.")
    uvicorn.run(
        app,
        loop="uvloop",
        http="httptools",
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )


@click.command()
@click.option("--concurrency", default=1, show_default=True, type=click.IntRange(1, 64), help="Worker processes.")
@click.option("--solo", is_flag=True, help="In this very process: no time limits, and no pool to go through.")
def work(concurrency: int, solo: bool) -> None:
    """Work on deliveries, sweeps and timetable jobs from the broker."""
    with surroundings(with_broker=True) as around:
        load_rooms()
        connect_broker(_broker_url(around))
        pool = ["--pool=solo"] if solo else [f"--concurrency={concurrency}"]
        with beating(_heart_of("worker", around)):
            _run_celery(["worker", *pool, "--loglevel=WARNING", "--without-gossip", "--without-mingle"])


@click.command()
def beat() -> None:
    """Tick every wall second: the timetable decides what is due."""
    with surroundings(with_broker=True) as around:
        connect_broker(_broker_url(around))
        with beating(_heart_of("beat", around)):
            _run_celery(
                [
                    "beat",
                    "--loglevel=WARNING",
                    f"--schedule={os.devnull}",
                    "--scheduler=celery.beat:Scheduler",
                    "--pidfile=",
                ]
            )


def _broker_url(around: Surroundings) -> str:
    if around.settings.broker_url is None:
        raise click.ClickException("BROKER_URL is not set")
    return around.settings.broker_url.get_secret_value()


def _heart_of(kind: str, around: Surroundings) -> Heart:
    return Heart(_broker_url(around), f"{kind}@{socket.gethostname()}", file=around.settings.heartbeat_path)


def _run_celery(arguments: list[str]) -> None:
    # Half a second of CPU to import, which a web process has no use for.
    from celery.bin.celery import celery as celery_command

    # Not Celery.start: it drops the exit code, and a worker that failed would look like one that was asked to end.
    code = celery_command.main(args=["--app=xinyidai.worker:celery", "--quiet", *arguments], standalone_mode=False)
    if code:
        sys.exit(code)
