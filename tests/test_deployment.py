"""The container files keep their promises: nothing runs as root, nothing secret stands in them, nothing floats."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, Field

from xinyidai import __version__

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
# What an image is started with; the command line itself is tested where it is defined.
COMMANDS = {"serve", "work", "beat", "migrate", "doctor"}
TOOLS = {"tools"}
ONE_SHOT = {"migrate"} | TOOLS
OWN_SETTINGS = {"POSTGRES_DB", "POSTGRES_INITDB_ARGS", "HEARTBEAT_PATH"}


class Service(BaseModel):
    """The part of a compose service that is judged here; an unknown key is left to compose itself."""

    model_config = ConfigDict(extra="ignore", strict=True)

    image: str
    user: str
    read_only: bool
    restart: str
    command: list[str]
    cap_drop: list[str]
    security_opt: list[str]
    tmpfs: list[str]
    networks: list[str]
    deploy: dict[str, dict[str, dict[str, str | int]]]
    build: str | None = None
    environment: dict[str, str] = Field(default_factory=dict)
    secrets: list[str] = Field(default_factory=list)
    ports: list[str] = Field(default_factory=list)
    volumes: list[str] = Field(default_factory=list)
    healthcheck: dict[str, object] = Field(default_factory=dict)
    depends_on: dict[str, dict[str, str]] = Field(default_factory=dict)
    profiles: list[str] = Field(default_factory=list)


class Compose(BaseModel):
    """A compose file."""

    model_config = ConfigDict(extra="ignore", strict=True)

    services: dict[str, Service]
    secrets: dict[str, dict[str, str]]
    volumes: dict[str, None]


COMPOSE = Compose.model_validate(yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8")))
OURS = {name: service for name, service in COMPOSE.services.items() if service.build}
each_service = pytest.mark.parametrize("name", COMPOSE.services)


def test_the_services_are_those_of_the_house() -> None:
    assert set(COMPOSE.services) == {"postgres", "valkey", "migrate", "web", "worker", "beat", "tools"}


def test_the_image_is_tagged_with_the_version() -> None:
    assert {service.image for service in OURS.values()} == {f"xinyidai:{__version__}"}


@each_service
def test_service_runs_as_a_numeric_user_who_is_not_root(name: str) -> None:
    uid, gid = COMPOSE.services[name].user.split(":")

    assert int(uid) > 0
    assert int(gid) > 0


@each_service
def test_service_is_confined(name: str) -> None:
    service = COMPOSE.services[name]

    assert service.read_only
    assert service.tmpfs
    assert service.cap_drop == ["ALL"]
    assert service.security_opt == ["no-new-privileges:true"]
    assert set(service.deploy["resources"]["limits"]) == {"cpus", "memory", "pids"}


@pytest.mark.parametrize("name", sorted(set(COMPOSE.services) - ONE_SHOT))
def test_lasting_service_is_watched_and_restarted(name: str) -> None:
    service = COMPOSE.services[name]

    assert {"test", "interval", "timeout", "retries"} <= set(service.healthcheck)
    assert service.restart == "unless-stopped"


@pytest.mark.parametrize("name", sorted(ONE_SHOT))
def test_one_shot_service_ends(name: str) -> None:
    assert COMPOSE.services[name].restart == "no"


def test_lasting_services_wait_for_migrations() -> None:
    waiting = {other for other, service in COMPOSE.services.items() if "migrate" in service.depends_on}
    conditions = {COMPOSE.services[other].depends_on["migrate"]["condition"] for other in waiting}

    assert waiting == set(OURS) - ONE_SHOT
    assert conditions == {"service_completed_successfully"}


def test_tools_come_only_when_called_and_start_nothing_else() -> None:
    profiled = {name for name, service in COMPOSE.services.items() if service.profiles}

    assert profiled == TOOLS
    assert COMPOSE.services["tools"].depends_on == {}
    assert COMPOSE.services["tools"].ports == []
    assert COMPOSE.services["tools"].networks == ["backend"]


def test_tools_hold_what_looking_after_the_platform_needs_and_no_administrators_url() -> None:
    assert set(COMPOSE.services["tools"].secrets) == {
        "app_database_url",
        "worker_database_url",
        "auditor_database_url",
        "broker_url",
        "secret_key",
    }


@each_service
def test_secrets_come_by_file_and_are_declared(name: str) -> None:
    service = COMPOSE.services[name]
    by_file = {key: value for key, value in service.environment.items() if key not in OWN_SETTINGS}

    assert all(key.endswith("_FILE") for key in by_file)
    assert {Path(value).name for value in by_file.values()} <= set(service.secrets)
    assert set(service.secrets) <= set(COMPOSE.secrets)


def test_every_declared_secret_is_a_file_outside_git_and_is_used() -> None:
    used = {secret for service in COMPOSE.services.values() for secret in service.secrets}

    assert used == set(COMPOSE.secrets)
    assert all(source["file"].startswith("./secrets/") for source in COMPOSE.secrets.values())
    assert "/secrets/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_only_migrations_hold_the_administrators_password() -> None:
    holders = {name for name, service in COMPOSE.services.items() if "database_url" in service.secrets}

    assert holders == {"migrate"}


@pytest.mark.parametrize("name", OURS)
def test_our_services_run_a_command_of_the_platform(name: str) -> None:
    assert OURS[name].command[0] in COMMANDS


def test_every_command_of_the_platform_is_run() -> None:
    assert {service.command[0] for service in OURS.values()} == COMMANDS


@each_service
def test_ports_are_published_on_loopback_only(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in COMPOSE.services[name].ports)


@each_service
def test_images_are_pinned_to_a_version(name: str) -> None:
    _, _, tag = COMPOSE.services[name].image.partition(":")

    assert re.match(r"\d", tag)


@each_service
def test_named_volumes_are_declared(name: str) -> None:
    assert {volume.partition(":")[0] for volume in COMPOSE.services[name].volumes} <= set(COMPOSE.volumes)


def test_database_is_made_with_the_locale_that_finds_chinese_names() -> None:
    arguments = COMPOSE.services["postgres"].environment["POSTGRES_INITDB_ARGS"].split()

    assert {"--locale=C.UTF-8", "--encoding=UTF8"} <= set(arguments)


def test_image_does_not_end_as_root() -> None:
    users = re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)

    assert users == ["10001:10001"]
    assert {service.user for service in OURS.values()} == set(users)


def test_image_has_a_home_that_everybody_may_enter() -> None:
    # asyncpg looks for certificates in HOME at each connection, and fails where it may not be entered.
    assert re.search(r"^    HOME=/tmp \\$", DOCKERFILE, re.MULTILINE)
    assert all(service.tmpfs == ["/tmp:size=128m,mode=1777"] for service in OURS.values())  # noqa: S108
    assert not any("HOME" in service.environment for service in OURS.values())


def test_beat_and_worker_are_healthy_only_while_their_heartbeat_is_fresh(tmp_path: Path) -> None:
    file = tmp_path / "heartbeat"
    checks = {tuple(OURS[name].healthcheck["test"]) for name in ("beat", "worker")}

    ((kind, command),) = checks
    in_the_container = ["env", f"HEARTBEAT_PATH={file}", "sh", "-c", command.replace("$$", "$")]
    missing = subprocess.run(in_the_container, check=False, stderr=subprocess.DEVNULL).returncode
    file.touch()
    fresh = subprocess.run(in_the_container, check=False, stdout=subprocess.DEVNULL).returncode
    os.utime(file, (file.stat().st_mtime - 61,) * 2)
    old = subprocess.run(in_the_container, check=False, stdout=subprocess.DEVNULL).returncode

    assert kind == "CMD-SHELL"
    assert (missing, fresh, old) == (1, 0, 1)
    assert "python" not in command


def test_image_is_built_from_versions_and_hashes_only() -> None:
    bases = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)

    assert all(re.match(r"python:3\.\d+-slim", base) for base in bases)
    assert "latest" not in DOCKERFILE
    assert "--index-url" not in DOCKERFILE
    assert "--require-hashes" in DOCKERFILE


def test_image_copies_only_what_the_build_context_lets_in() -> None:
    allowed = {
        line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[:1] == "!"
    }
    lines = re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
    copied = {source.split("/")[0] for line in lines for source in line.split()[:-1]}

    assert copied == allowed


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock"])
def test_locks_have_a_hash_for_each_package_and_name_no_host(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    blocks = re.split(r"^(?=\S)", text, flags=re.MULTILINE)[1:]

    assert blocks
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in text
    assert "-url" not in text
