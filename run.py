#!/usr/bin/env python3
"""Set the project up in .venv and run it: `python3 run.py` alone lists the words it knows.

Standard library only, and it must parse on Python 3.6, so that an old interpreter prints a sentence instead of a
SyntaxError. Three steps: judge the machine, make or mend .venv from a lock, become the command.

Its own exit codes are below, so that a script can tell them apart. The command's own code is passed on unchanged; 15,
a taken port, is kept for the commands that listen.
"""

import ast
import ctypes
import errno
import fcntl
import hashlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time

PYTHON_NEEDED = (3, 11)
EXIT_USAGE = 2
EXIT_PYTHON_TOO_OLD = 10
EXIT_NO_VENV_MODULE = 11
EXIT_NO_LIBGOMP = 12
EXIT_NO_REGISTRY = 13
EXIT_DISK_FULL = 14
EXIT_PORT_TAKEN = 15
EXIT_INSTALL_FAILED = 16
EXIT_NOT_WRITABLE = 17
EXIT_NO_PAGES = 18
EXIT_INTERRUPTED = 130

ROOT = os.path.dirname(os.path.abspath(__file__))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
STAMP = os.path.join(VENV, "xinyidai-stamp.json")
UNFINISHED = os.path.join(VENV, "xinyidai-unfinished")
INSTALL_LOG = os.path.join(VENV, "xinyidai-install.log")
LOCK_FILE = os.path.join(ROOT, ".venv.lock")
RUN_LOCK = "requirements.lock"
DEV_LOCK = "requirements-dev.lock"
DISK_NEEDED_BYTES = 1500000000
DEV_WORDS = ("test", "bench", "check")
PAGE_WORDS = ("test", "serve", "demo")
PAGES = os.path.join(ROOT, "frontend_templates")
PAGES_STAMP = os.path.join(PAGES, "node_modules", "xinyidai-stamp.json")
PAGES_LOCK = os.path.join("frontend_templates", "package-lock.json")
NODE_LOCK = os.path.join("frontend_templates", "node.lock")

USAGE = """\
python3 run.py test [--long] [pytest arguments]          the tests
python3 run.py bench [NAME [--full] [--json F] [--strict]] one benchmark; without NAME, the list
python3 run.py check                                      linters and types
python3 run.py demo                                       the first loan on a synthetic set, then pages and API
python3 run.py WORD ...                                   any other command of xinyidai; try `--help`
"""

CHECKS = (
    ("ruff check", ("-m", "ruff", "check", ".")),
    ("ruff format", ("-m", "ruff", "format", "--check", ".")),
    ("mypy", ("-m", "mypy")),
    ("import-linter", ("-c", "import sys; from importlinter.cli import lint_imports_command as c; sys.exit(c())")),
    ("deptry", ("-m", "deptry", ".")),
)

NETWORK_SIGNS = re.compile(
    "Temporary failure in name resolution|Name or service not known|nodename nor servname|Network is unreachable"
    "|Failed to establish a new connection|NewConnectionError|Connect(ion)? ?[Tt]ime(d )?out|ReadTimeout|ProxyError"
    "|Connection (refused|reset)|dns error|error sending request|tcp connect error|Failed to fetch|Could not connect"
    "|CERTIFICATE_VERIFY_FAILED|invalid peer certificate|from versions: none"
    "|ENOTFOUND|ECONNREFUSED|ECONNRESET|ETIMEDOUT|EAI_AGAIN|ERR_SOCKET_TIMEOUT|SELF_SIGNED_CERT"
)
DISK_SIGNS = re.compile("ENOSPC|No space left on device|os error 28|Errno 28|Disk quota exceeded")


class Stop(Exception):
    """The set-up cannot go on: a sentence for the person, an exit code for the script."""

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


def say(sentence: str) -> None:
    """Print to standard error: standard output belongs to the command."""
    sys.stderr.write("run.py: {}\n".format(sentence))
    sys.stderr.flush()


def main(words: "list[str]") -> int:
    """Judge the machine, set up, become the command; return an exit code only if it does not come to that."""
    try:
        require_python(sys.version_info[:3])
        if not words or words[0] in ("-h", "--help"):
            sys.stdout.write(USAGE)
            return 0 if words else EXIT_USAGE
        if words == ["bench"]:
            return list_benchmarks()
        if words[0] == "bench":
            words = ["bench", find_benchmark(words[1]), *words[2:]]
        require_libgomp()
        prepare(words[0])
        return become(words)
    except Stop as stop:
        say(str(stop))
        return stop.code
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            say("The disk of {} is full: {}. Free some space and start again.".format(ROOT, error))
            return EXIT_DISK_FULL
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            say("{} cannot be written to: {}. Copy the project to a folder of yours.".format(ROOT, error))
            return EXIT_NOT_WRITABLE
        raise
    except KeyboardInterrupt:
        say("Interrupted; the next start goes on from here.")
        return EXIT_INTERRUPTED


def prepare(word: str) -> None:
    """Set up what a word needs: the environment, and the pages' files where it serves or tests pages."""
    locks = [RUN_LOCK, DEV_LOCK] if word in DEV_WORDS else [RUN_LOCK]
    if is_ready(locks):
        say("{} with the environment in .venv".format(word))
    else:
        set_up(locks)
    if word in PAGE_WORDS:
        set_up_pages(with_tests=word in DEV_WORDS)


def require_python(version: "tuple[int, ...]") -> None:
    """Stop on a Python older than the platform's."""
    if tuple(version[:2]) < PYTHON_NEEDED:
        needed = ".".join(map(str, PYTHON_NEEDED))
        found = ".".join(map(str, version[:3]))
        others = [name for name in ("python3.13", "python3.12", "python3.11") if shutil.which(name)]
        hint = " Found here: `{} run.py ...`.".format(others[0]) if others else ""
        raise Stop(EXIT_PYTHON_TOO_OLD, "Python {} is too old; {} or newer is needed.{}".format(found, needed, hint))


def require_libgomp() -> None:
    """Stop where LightGBM could not be loaded: it needs the system's OpenMP library, which slim images lack."""
    if not sys.platform.startswith("linux"):
        return
    try:
        ctypes.CDLL("libgomp.so.1")
    except OSError:
        hint = "`apt install libgomp1` (Debian), `dnf install libgomp` (Fedora, RHEL), `apk add libgomp` (Alpine)"
        raise Stop(EXIT_NO_LIBGOMP, "The library libgomp.so.1 is missing. Install it: {}.".format(hint)) from None


def require_venv_module() -> None:
    """Stop where Python was packaged without its venv part, as Debian does."""
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            sentence = "This Python has no `{}` module. Install it: `apt install python3-venv` (Debian, Ubuntu)."
            raise Stop(EXIT_NO_VENV_MODULE, sentence.format(module))


def require_disk() -> None:
    """Stop before filling a disk that has too little room for the environment and a first data folder."""
    free = shutil.disk_usage(ROOT).free
    if free < DISK_NEEDED_BYTES:
        sentence = "{} has {} MB free; the set-up needs {} MB. Free some space and start again."
        raise Stop(EXIT_DISK_FULL, sentence.format(ROOT, free // 1000000, DISK_NEEDED_BYTES // 1000000))


def digest_of(lock: str) -> str:
    """Return the sha256 of a lock file."""
    with open(os.path.join(ROOT, lock), "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def stamp_for(locks: "list[str]") -> "dict[str, str]":
    """Return what a finished environment for these locks is stamped with.

    The folder, because scripts and paths in it are absolute; the interpreter, because a system upgrade replaces it.
    """
    stamp = {lock: digest_of(lock) for lock in locks}
    stamp.update(root=ROOT, python=os.path.realpath(PYTHON))
    return stamp


def is_ready(locks: "list[str]") -> bool:
    """Say whether .venv was finished for these locks, here, with the interpreter it still has."""
    try:
        with open(STAMP) as file:
            found = json.load(file)
    except (OSError, ValueError):
        return False
    # A development environment holds the run-time packages too, so one stamp may answer for more than is asked.
    return os.path.exists(PYTHON) and all(found.get(key) == value for key, value in stamp_for(locks).items())


def set_up(locks: "list[str]") -> None:
    """Make or mend .venv, alone: a second start waits here and then finds the work done."""
    say("Setting up the environment in .venv (about a minute the first time)")
    require_venv_module()
    descriptor = os.open(LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
    # Installers inherit the lock: should this process be killed, the next start still waits for the last of them.
    os.set_inheritable(descriptor, True)
    try:
        wait_for_lock(descriptor)
        if is_ready(locks):
            return
        require_disk()
        began = time.time()
        make_venv(descriptor)
        install(os.path.join(ROOT, locks[-1]), descriptor)
        write_paths()
        with open(STAMP + ".new", "w") as file:
            json.dump(stamp_for(locks), file)
        os.replace(STAMP + ".new", STAMP)
        os.remove(UNFINISHED)
        say("Ready after {:.0f} s".format(time.time() - began))
    finally:
        os.close(descriptor)


def pages_are_ready(with_tests: bool) -> bool:
    """Say whether the pages' third-party files were installed for this lock, and the tests' own where asked for."""
    try:
        with open(PAGES_STAMP) as file:
            found = json.load(file)
    except (OSError, ValueError):
        return False
    return found.get("lock") == digest_of(PAGES_LOCK) and (found.get("with_tests") or not with_tests)


def set_up_pages(with_tests: bool) -> None:
    """Install what the pages load from us (styles, scripts): by npm, by hash, without running anybody's scripts."""
    if pages_are_ready(with_tests):
        return
    descriptor = os.open(LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
    os.set_inheritable(descriptor, True)
    try:
        wait_for_lock(descriptor)
        if pages_are_ready(with_tests):
            return
        npm = find_npm(descriptor)
        command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", PAGES]
        try:
            run_step("Installing the pages' files", command if with_tests else [*command, "--omit=dev"], descriptor)
        except Stop as stop:
            if stop.code != EXIT_INSTALL_FAILED:
                raise
            raise Stop(EXIT_NO_PAGES, "The pages' styles and scripts could not be installed. {}".format(stop)) from None
        with open(PAGES_STAMP + ".new", "w") as file:
            json.dump({"lock": digest_of(PAGES_LOCK), "with_tests": with_tests}, file)
        os.replace(PAGES_STAMP + ".new", PAGES_STAMP)
    finally:
        os.close(descriptor)


def find_npm(descriptor: int) -> "list[str]":
    """Return how npm is called: the one on the PATH, else one that is put into .venv, by hash."""
    on_path = shutil.which("npm", path=command_environment()["PATH"])
    if on_path:
        return [on_path]
    pip = [PYTHON, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    lock = os.path.join(ROOT, NODE_LOCK)
    run_step("No npm here; installing one", [*pip, "install", "--require-hashes", "--no-deps", "-r", lock], descriptor)
    return [os.path.join(VENV, "bin", "npm")]


def wait_for_lock(descriptor: int) -> None:
    """Take the set-up lock, saying every few seconds that another start holds it."""
    began = told = time.time()
    first = True
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if first or time.time() - told > 5:
                say("Another start is setting up; waiting ({:.0f} s)".format(time.time() - began))
                first, told = False, time.time()
            time.sleep(0.2)


def make_venv(descriptor: int) -> None:
    """Make .venv unless a usable one is there.

    One that carries the mark of an unfinished set-up, or was moved or lost its interpreter, is made anew. One that
    somebody made by hand carries neither mark nor stamp: it is kept and only brought to the lock.
    """
    moved = os.path.exists(STAMP) and not is_ready([])
    broken = not os.path.exists(PYTHON) or not os.path.exists(os.path.join(VENV, "pyvenv.cfg"))
    if os.path.exists(VENV) and (os.path.exists(UNFINISHED) or moved or broken):
        say("Removing an unfinished or moved environment")
        shutil.rmtree(VENV)
    exists = os.path.exists(VENV)
    if not exists:
        os.mkdir(VENV)
    with open(UNFINISHED, "w") as file:
        file.write(str(os.getpid()))
    if os.path.exists(STAMP):
        os.remove(STAMP)
    if not exists:
        run_step("Making the environment", [sys.executable, "-m", "venv", VENV], descriptor)
    elif not os.path.exists(os.path.join(VENV, "bin", "pip")):
        run_step("Adding pip to the environment", [PYTHON, "-m", "ensurepip"], descriptor)
    version = subprocess.check_output([PYTHON, "-c", "import sys; print(*sys.version_info[:2])"]).split()
    if tuple(int(part) for part in version) < PYTHON_NEEDED:
        raise Stop(EXIT_PYTHON_TOO_OLD, "{} holds an older Python. Remove the folder and start again.".format(VENV))


def install(lock: str, descriptor: int) -> None:
    """Install a lock by hash: with uv where it can be had, else with pip, which takes longer."""
    pip = [PYTHON, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    what = "Installing up to {} packages".format(len(re.findall(r"^[\w.-]+(?:\[.*\])?==", text_of(lock), re.MULTILINE)))
    if have_uv(pip, descriptor):
        uv = [PYTHON, "-m", "uv", "pip", "install", "--python", PYTHON, *mirror_of(pip)]
        try:
            run_step(what + " with uv", [*uv, "--require-hashes", "--no-deps", "-r", lock], descriptor)
            return
        except Stop as stop:
            if stop.code == EXIT_DISK_FULL:
                raise
            # Behind some proxies only one of the two gets through.
            say("uv could not; trying pip")
    run_step(what + " with pip", [*pip, "install", "--require-hashes", "--no-deps", "-r", lock], descriptor)


def text_of(path: str) -> str:
    """Return a text file's content."""
    with open(path, encoding="utf-8") as file:
        return file.read()


def have_uv(pip: "list[str]", descriptor: int) -> bool:
    """Install uv as pinned, by hash, in the development lock; say whether it is there."""
    pinned = re.search(r"^uv==.*\n(?:    --hash=.*\n)+", text_of(os.path.join(ROOT, DEV_LOCK)), re.MULTILINE)
    if pinned is None:
        return False
    wanted = os.path.join(VENV, "uv.lock.txt")
    with open(wanted, "w") as file:
        file.write(pinned.group(0))
    try:
        run_step("Installing uv", [*pip, "install", "--require-hashes", "--no-deps", "-r", wanted], descriptor)
    except Stop as stop:
        # Without a registry pip would only fail again, more slowly, on the packages themselves.
        if stop.code != EXIT_INSTALL_FAILED:
            raise
        return False
    return True


def mirror_of(pip: "list[str]") -> "list[str]":
    """Return uv's option for the mirror that pip is configured to use: uv does not read pip's files."""
    if "UV_DEFAULT_INDEX" in installer_environment():
        return []
    asked = subprocess.run(
        [*pip, "config", "get", "global.index-url"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    return ["--default-index", asked.stdout.decode().strip()] if asked.returncode == 0 else []


def write_paths() -> None:
    """Put the sources and the project folder on the path; `python -m xinyidai` is then the command."""
    version = subprocess.check_output([PYTHON, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"])
    with open(os.path.join(version.decode().strip(), "xinyidai.pth"), "w", encoding="utf-8") as file:
        file.write("{}\n{}\n".format(os.path.join(ROOT, "src"), ROOT))


def run_step(what: str, command: "list[str]", descriptor: int) -> None:
    """Run an installer with its output in a log, telling every few seconds how long it has been at it."""
    say(what + " ...")
    began = told = time.time()
    with open(INSTALL_LOG, "ab") as log:
        begins_at = log.tell()
        environment = installer_environment()
        process = subprocess.Popen(
            command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, pass_fds=[descriptor], env=environment
        )
        try:
            while process.poll() is None:
                time.sleep(0.05)
                if time.time() - told > 5:
                    told = time.time()
                    say("... {} ({:.0f} s)".format(what[0].lower() + what[1:], told - began))
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if process.returncode == 0:
        say("... done in {:.1f} s".format(time.time() - began))
        return
    with open(INSTALL_LOG, "rb") as log:
        log.seek(begins_at)
        raise installer_failure(what, log.read().decode("utf-8", "replace"), command)


def installer_failure(what: str, output: str, command: "list[str]") -> Stop:
    """Tell what kept an installer from finishing, by what it printed."""
    last = "\n".join("    " + line for line in output.strip().splitlines()[-8:])
    if DISK_SIGNS.search(output):
        return Stop(EXIT_DISK_FULL, "The disk is full. Free some space and start again.\n" + last)
    if "ensurepip" in output and "venv" in command:
        return Stop(EXIT_NO_VENV_MODULE, "This Python cannot make environments: `apt install python3-venv`.\n" + last)
    if NETWORK_SIGNS.search(output):
        sentence = "The package registry cannot be reached. Check the network, proxy and certificate settings"
        sentence += " (pip.conf, PIP_INDEX_URL, HTTPS_PROXY, SSL_CERT_FILE) and start again.\n"
        return Stop(EXIT_NO_REGISTRY, sentence + last)
    return Stop(EXIT_INSTALL_FAILED, "{} failed; the whole output is in {}.\n{}".format(what, INSTALL_LOG, last))


def installer_environment() -> "dict[str, str]":
    """Return the environment with bounded patience and, for uv, what pip would know from its own variables."""
    environment = command_environment()
    environment.setdefault("PIP_RETRIES", "2")
    environment.setdefault("PIP_DEFAULT_TIMEOUT", "20")
    environment.setdefault("UV_HTTP_TIMEOUT", "60")
    environment.setdefault("UV_NO_PROGRESS", "1")
    environment.setdefault("UV_SYSTEM_CERTS", "1")
    environment["UV_PYTHON_DOWNLOADS"] = "never"
    same = {"PIP_INDEX_URL": "UV_DEFAULT_INDEX", "PIP_EXTRA_INDEX_URL": "UV_INDEX", "PIP_CERT": "SSL_CERT_FILE"}
    for pip_name, uv_name in same.items():
        if pip_name in environment:
            environment.setdefault(uv_name, environment[pip_name])
    if not os.access(environment.get("HOME", ""), os.W_OK):
        environment["UV_NO_CACHE"] = environment["PIP_NO_CACHE_DIR"] = "1"
    return environment


def command_environment() -> "dict[str, str]":
    """Return the caller's environment with .venv first and nothing in it that would shadow its packages.

    Bytecode is written, whatever the caller prefers elsewhere: a demo is five processes, and each that compiles its
    libraries anew was measured to start 13 s later.
    """
    dropped = ("PYTHONHOME", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
    environment = {name: value for name, value in os.environ.items() if name not in dropped}
    environment["PATH"] = os.path.join(VENV, "bin") + os.pathsep + environment.get("PATH", os.defpath)
    environment["VIRTUAL_ENV"] = VENV
    environment.setdefault("PYTHONUTF8", "1")
    environment["XINYIDAI_HOME"] = os.path.abspath(environment.get("XINYIDAI_HOME") or os.path.join(ROOT, ".xinyidai"))
    # asyncpg looks into HOME at each connection, and an unreadable one hangs it.
    if not os.access(environment.get("HOME", ""), os.R_OK | os.X_OK):
        environment["HOME"] = VENV
    return environment


def become(words: "list[str]") -> int:
    """Replace this process by the command, so that signals and the exit code are the command's own."""
    environment = command_environment()
    word, rest = words[0], words[1:]
    if word == "check":
        return run_checks(environment)
    if word == "test":
        # Two OpenMP threads on two shared cores were measured 50 times slower than one.
        environment.setdefault("OMP_NUM_THREADS", "1")
        os.chdir(ROOT)
        # The full counts are asked for; a person's own -m decides alone.
        chosen = [] if "--long" in rest or "-m" in rest else ["-m", "not long"]
        # Two workers, each with a server of its own: the tests wait for PostgreSQL about as long as they compute.
        spread = [] if any(argument.startswith("-n") for argument in rest) else ["-n", "2", "--dist", "worksteal"]
        command = ["-m", "pytest", *chosen, *spread, *(argument for argument in rest if argument != "--long")]
    elif word == "bench":
        command = ["-P", "-m", "benchmarks." + rest[0], *rest[1:]]
    else:
        # -P: the folder one happens to stand in must not shadow the platform's packages.
        command = ["-P", "-m", "xinyidai", *words]
    sys.stderr.flush()
    os.execve(PYTHON, [PYTHON, *command], environment)


def run_checks(environment: "dict[str, str]") -> int:
    """Run every linter even if one complains; return 1 if any did."""
    complaining = []
    for name, command in CHECKS:
        say("{} ...".format(name))
        began = time.time()
        process = subprocess.Popen([PYTHON, *command], cwd=ROOT, env=environment)
        signal.signal(signal.SIGTERM, lambda *_, child=process: child.terminate())
        code = process.wait()
        say("... {} {} in {:.1f} s".format(name, "passed" if code == 0 else "complains", time.time() - began))
        if code < 0:
            return 128 - code
        if code:
            complaining.append(name)
    if complaining:
        say("Complaints from: {}".format(", ".join(complaining)))
    return 1 if complaining else 0


def benchmarks() -> "dict[str, str]":
    """Return the runnable benchmarks as {name: first line of the docstring}."""
    found = {}
    folder = os.path.join(ROOT, "benchmarks")
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
        if name.endswith(".py") and not name.startswith("_"):
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                source = file.read()
            # A module that benchmarks share has no entry point of its own.
            if "__main__" in source:
                found[name[:-3]] = (ast.get_docstring(ast.parse(source)) or "").split("\n")[0]
    return found


def list_benchmarks() -> int:
    """Print the benchmarks there are."""
    for name, line in benchmarks().items():
        sys.stdout.write("{:<24} {}\n".format(name, line))
    return 0


def find_benchmark(name: str) -> str:
    """Return the module name of a benchmark."""
    module = name.replace("-", "_")
    if module not in benchmarks():
        there_are = ", ".join(benchmarks()) or "none"
        raise Stop(EXIT_USAGE, "There is no benchmark {}. There are: {}.".format(name, there_are))
    return module


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
