# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints what the module homelab.lantern.rollout sees while it waits; modules cannot print by themselves."""

from __future__ import annotations

import time
import typing as t

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

display = Display()

MODULE = "homelab.lantern.rollout"
DEFAULT_TIMEOUT = 180


class ActionModule(ActionBase):
    """Runs the module again and again; each run ends when there is something new to print."""

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        options = dict(self._task.args)
        seconds = float(options.get("timeout", DEFAULT_TIMEOUT))
        started = time.monotonic()
        seen = ""
        while True:
            left = max(1, round(seconds - (time.monotonic() - started)))
            result = self._execute_module(
                module_name=MODULE, module_args=dict(options, timeout=left, previous_progress=seen), task_vars=task_vars
            )
            if result.get("failed") or "progress" not in result:
                return result
            seen = result["progress"]
            display.display(f"    {time.monotonic() - started:4.0f} s  {seen}")
            if result["ready"]:
                return result
