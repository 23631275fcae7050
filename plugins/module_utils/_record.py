# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module found on a host before it changed anything, kept there to undo it. PRIVATE to the collection."""

from __future__ import annotations

import json
import os
from typing import Any


def load(path: str) -> dict[str, Any]:
    """The record, {} when there is none. Raises ValueError naming the file when it is damaged."""
    try:
        with open(path, encoding="utf-8") as handle:
            record = json.load(handle)
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise ValueError(
            f"The record {path} is damaged ({error}). Delete it; what it held cannot be undone then."
        ) from error
    if not isinstance(record, dict):
        raise ValueError(
            f"The record {path} is damaged (no JSON object). Delete it; what it held cannot be undone then."
        )
    return record


def save(path: str, record: dict[str, Any]) -> None:
    """Writes the record in one step; an empty one is removed, and its folder with it when nothing else is there."""
    folder = os.path.dirname(path)
    if not record:
        if os.path.exists(path):
            os.unlink(path)
        if os.path.isdir(folder) and not os.listdir(folder):
            os.rmdir(folder)
        return
    os.makedirs(folder, mode=0o755, exist_ok=True)
    scratch = path + ".new"
    with open(scratch, "w", encoding="utf-8") as handle:
        json.dump(record, handle, indent=2, sort_keys=True)
        handle.write("\n")
    os.replace(scratch, path)
