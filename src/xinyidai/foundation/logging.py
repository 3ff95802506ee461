"""Logs: structured, UTC, on standard error; ids only, never personal data."""

import logging
import os
import sys

import structlog


def configure_logging() -> None:
    """Set up structlog: lines for a person, or JSON with LOG_FORMAT=json; LOG_LEVEL decides how much."""
    level = logging.getLevelNamesMapping().get(os.environ.get("LOG_LEVEL", "WARNING").upper(), logging.WARNING)
    is_json = os.environ.get("LOG_FORMAT") == "json"
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info if is_json else structlog.dev.set_exc_info,
            structlog.processors.JSONRenderer() if is_json else _for_a_person(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(level=level, stream=sys.stderr)


def _for_a_person() -> structlog.dev.ConsoleRenderer:
    # The default formatter prints every frame's locals: passwords, keys and bodies would be in the log.
    return structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback)
