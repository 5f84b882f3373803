"""What GreyFox says, and where: one JSON line an event on stderr, or mitmproxy's own event log where there is a screen.

mitmproxy hands every log record of any level to all its addons, so the root logger is turned down once everything runs.
"""

import json
import logging
import sys
from datetime import UTC, datetime


class JsonLines(logging.Formatter):
    """`{"at": …, "level": …, "text": …}`; control characters are escaped, so that no text can forge a line."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        return json.dumps({"at": moment, "level": record.levelname.lower(), "text": record.getMessage()})


def speak(*, has_face: bool, muted: bool) -> None:
    """From the start on. Errors go to mitmproxy, which shows them and ends the start.

    `muted`: mitmproxy shows nothing but errors, so the rest is said here.
    """
    logging.getLogger("alembic").setLevel(logging.WARNING)  # else it tells of each start
    logger = logging.getLogger("greyfox")
    logger.setLevel(logging.INFO)
    logger.handlers.clear()
    logger.propagate = True
    if muted and not has_face:
        handler = _on_stderr()
        handler.addFilter(lambda record: record.levelno < logging.ERROR)
        logger.addHandler(handler)


def quiet(*, has_face: bool) -> None:
    """From `running` on."""
    logging.getLogger().setLevel(logging.WARNING)
    logger = logging.getLogger("greyfox")
    logger.handlers.clear()
    if not has_face:
        logger.addHandler(_on_stderr())
        logger.propagate = False


def _on_stderr() -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    return handler
