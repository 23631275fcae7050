# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that belong to Lantern alone, under /etc of a host. PRIVATE to the collection."""

from __future__ import annotations

import os
from typing import Any

MODE = 0o644


def replace(module: Any, path: str, text: str) -> None:
    """Writes a file for all to read in one step, and the folders that are missing. Fails naming the file."""
    scratch = os.path.join(module.tmpdir, os.path.basename(path))
    try:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        with open(scratch, "w", encoding="utf-8") as handle:
            handle.write(text)
    except OSError as error:
        module.fail_json(msg=f"{path} cannot be written: {error.strerror}. Is its file system full, or read-only?")
    module.atomic_move(scratch, path)
    module.set_mode_if_different(path, MODE, False)
