"""run.py: what it says, and with which exit code, when the machine does not carry the set-up. Nothing is installed."""

import ctypes
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pip
import pytest
from builders_processes import ROOT, Identity, can_become_another

from xinyidai.cli.surroundings import PORT_TAKEN

NOBODY = 65534
PIP = Path(pip.__file__).parent


@pytest.fixture
def project() -> Iterator[Path]:
    """A folder with run.py and the locks, and an environment made by hand that borrows this one's pip."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        for name in ("run.py", "requirements.lock", "requirements-dev.lock"):
            shutil.copy(ROOT / name, folder)
        venv.create(folder / ".venv", with_pip=False, symlinks=True)
        (folder / ".venv" / "bin" / "pip").touch()
        (site,) = (folder / ".venv" / "lib").glob("python3.*/site-packages")
        (site / "pip").symlink_to(PIP)
        yield folder


@pytest.fixture
def run(project: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module of that folder's run.py; should a set-up succeed, it must not take the tests' place."""
    spec = importlib.util.spec_from_file_location("run_of_the_test", project / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "become", lambda words: pytest.fail(f"it became {words}"))
    return module


@pytest.fixture
def no_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Point pip at a port of loopback where nothing listens, and give it no patience."""
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)


def test_without_words_it_lists_those_it_knows(run: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    code = run.main([])

    assert code == 2
    assert "run.py demo" in capsys.readouterr().out


def test_an_unknown_benchmark_is_named(run: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    code = run.main(["bench", "nothing-of-that-name"])

    assert code == 2
    assert "There is no benchmark nothing-of-that-name" in capsys.readouterr().err


def test_an_old_python_is_told_what_is_needed(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "PYTHON_NEEDED", (3, 99))

    code = run.main(["demo"])

    assert code == 10
    assert "is too old; 3.99 or newer is needed." in capsys.readouterr().err


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_a_python_without_its_venv_part_is_told_the_package(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)

    code = run.main(["demo"])

    assert code == 11
    assert f"no `{module}` module. Install it: `apt install python3-venv`" in capsys.readouterr().err


def test_a_machine_without_openmp_is_told_the_package(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def load(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(ctypes, "CDLL", load)
    monkeypatch.setattr(sys, "platform", "linux")

    code = run.main(["demo"])

    assert code == 12
    assert "libgomp.so.1 is missing. Install it: `apt install libgomp1`" in capsys.readouterr().err


@pytest.mark.usefixtures("no_registry")
def test_a_registry_that_does_not_answer_is_named_as_the_reason(
    run: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run.main(["demo"])

    told = capsys.readouterr().err
    assert code == 13
    assert "The package registry cannot be reached" in told
    assert "PIP_INDEX_URL" in told


def test_a_disk_with_too_little_room_is_said_before_anything_is_made(
    run: ModuleType, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(project / ".venv")
    monkeypatch.setattr(run, "DISK_NEEDED_BYTES", 1 << 60)

    code = run.main(["demo"])

    assert code == 14
    assert "MB free; the set-up needs" in capsys.readouterr().err
    assert not (project / ".venv").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_a_disk_that_fills_up_is_said_in_a_sentence(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "UNFINISHED", "/dev/full")

    code = run.main(["demo"])

    assert code == 14
    assert "is full: [Errno 28]" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_an_installer_on_a_full_disk_is_understood(run: ModuleType, project: Path) -> None:
    script = "import sys; print('x', file=open('/dev/full', 'w', buffering=1))"

    with (project / "lock").open("w") as lock, pytest.raises(run.Stop, match="The disk is full") as stopped:
        run.run_step("Filling the disk", [sys.executable, "-c", script], lock.fileno())

    assert stopped.value.code == 14


def test_the_code_of_a_taken_port_is_the_commands_own(run: ModuleType) -> None:
    assert run.EXIT_PORT_TAKEN == PORT_TAKEN == 15


@pytest.mark.usefixtures("no_registry")
def test_another_failure_names_the_step_and_the_log(
    run: ModuleType, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "requirements-dev.lock").write_text("", encoding="utf-8")
    (project / "requirements.lock").write_text("this is no requirement\n", encoding="utf-8")

    code = run.main(["demo"])

    told = capsys.readouterr().err
    assert code == 16
    assert "Installing up to 0 packages with pip failed; the whole output is in" in told
    assert str(project / ".venv" / "xinyidai-install.log") in told
    assert "Invalid requirement" in told


@pytest.mark.skipif(not can_become_another(), reason="root without setpriv cannot become another user")
def test_a_folder_of_somebody_else_is_said_in_a_sentence(project: Path) -> None:
    shutil.rmtree(project / ".venv")
    project.chmod(0o555)
    command = [*Identity(NOBODY, NOBODY).prefix, sys.executable, str(project / "run.py"), "demo"]

    told = subprocess.run(command, capture_output=True, text=True, check=False)

    project.chmod(0o755)
    assert told.returncode == 17
    assert "cannot be written to" in told.stderr
    assert "Copy the project to a folder of yours." in told.stderr


def heed_interrupts() -> None:
    """Undo what a shell does to what it starts in the background: Ctrl-C would be ignored, and waited for in vain."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_an_interrupted_set_up_says_that_it_can_go_on(project: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        environment = os.environ | {
            "PIP_INDEX_URL": f"http://127.0.0.1:{silent.getsockname()[1]}/simple",
            "PIP_CONFIG_FILE": os.devnull,
        }
        command = [sys.executable, str(project / "run.py"), "demo"]
        with subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env=environment, preexec_fn=heed_interrupts
        ) as process:
            assert process.stderr is not None
            while "Installing uv" not in process.stderr.readline():
                pass
            # pip has asked and waits for an answer that never comes.
            asked, _address = silent.accept()
            process.send_signal(signal.SIGINT)
            told = process.stderr.read()
            asked.close()

    assert process.returncode == 130
    assert "Interrupted; the next start goes on from here." in told
    assert (project / ".venv" / "xinyidai-unfinished").exists()
