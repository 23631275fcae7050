# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints what a module sees while it waits; modules cannot print by themselves. PRIVATE to homelab.lantern."""

from __future__ import annotations

import time
import typing as t

from ansible.utils.display import Display

display = Display()

Execute = t.Callable[..., t.Dict[str, t.Any]]


def follow(
    execute: Execute, module: str, options: dict[str, t.Any], seconds: float, task_vars: t.Any
) -> dict[str, t.Any]:
    """Runs a module again and again; each run ends when it has news to print, which it gives as `progress`.

    `execute` is an action's _execute_module. The module has the options timeout and previous_progress, and tells by
    `ready` that it need not be run again.
    """
    started = time.monotonic()
    seen = ""
    while True:
        left = max(1, round(seconds - (time.monotonic() - started)))
        again = dict(options, timeout=left, previous_progress=seen)
        result = execute(module_name=module, module_args=again, task_vars=task_vars)
        if result.get("failed") or "progress" not in result:
            return result
        if result["progress"] != seen:
            display.display(f"    {time.monotonic() - started:4.0f} s  {result['progress']}")
        seen = result["progress"]
        if result["ready"]:
            return result
