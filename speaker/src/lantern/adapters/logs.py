# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs as JSON lines on standard output: ts (RFC 3339, UTC), level, msg, then whatever the caller gave.

log = logging.getLogger("lantern")
log.info("address assigned", extra=fields(service="default/web", ip="192.168.2.128"))
"""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any

_LEVELS = {
    "all": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "error": logging.ERROR,
    "none": logging.CRITICAL + 1,
}
_NAMES = {"WARNING": "warn", "CRITICAL": "error"}


def fields(**values: object) -> dict[str, Any]:
    """The `extra` of a log call: these keys appear beside msg."""
    return {"lantern_fields": values}


class JsonFormatter(logging.Formatter):
    """One JSON object per record."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": _NAMES.get(record.levelname, record.levelname.lower()),
            "msg": record.getMessage(),
        }
        line.update(getattr(record, "lantern_fields", {}))
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def configure(level: str) -> None:
    """Send all logs of this process, its libraries' warnings included, to standard output."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers = [handler]
    # Libraries are chatty at info: each HTTP request is a line.
    root.setLevel(max(logging.WARNING, _LEVELS[level]))
    logging.getLogger("lantern").setLevel(_LEVELS[level])
