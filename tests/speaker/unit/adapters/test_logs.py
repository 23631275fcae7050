# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Log lines."""

from __future__ import annotations

import json
import logging
import sys

from lantern.adapters.logs import JsonFormatter, fields


def line(level: int, message: str, **values: object) -> dict[str, object]:
    record = logging.LogRecord("lantern", level, __file__, 1, message, (), None)
    for key, value in fields(**values).items():
        setattr(record, key, value)
    found: dict[str, object] = json.loads(JsonFormatter().format(record))
    return found


def test_line_has_time_level_message_and_fields() -> None:
    found = line(logging.WARNING, "pass failed", service="default/web", retry_seconds=0.5)
    assert str(found.pop("ts")).endswith("Z")
    assert found == {"level": "warn", "msg": "pass failed", "service": "default/web", "retry_seconds": 0.5}


def test_traceback_is_part_of_the_line() -> None:
    try:
        raise RuntimeError("broken")
    except RuntimeError:
        record = logging.LogRecord("lantern", logging.ERROR, __file__, 1, "failed", (), sys.exc_info())
    text = JsonFormatter().format(record)
    assert "\n" not in text and "RuntimeError: broken" in json.loads(text)["error"]
