"""Where the files that are not Python live."""

from importlib.util import find_spec
from pathlib import Path


def migrations_folder() -> Path:
    """Return the folder of Alembic's env.py: the `migrations` package, in a checkout as in an installation."""
    found = find_spec("migrations")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


def templates_folder() -> Path:
    """Return the folder of the page templates: beside `src` in a checkout, inside the package when installed."""
    package = Path(__file__).resolve().parents[1]
    checkout = package.parents[1] / "frontend_templates"
    return checkout if checkout.is_dir() else package / "_templates"
