# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints the table that the module homelab.lantern.reservation_proof makes; modules cannot print by themselves."""

from __future__ import annotations

import typing as t

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.homelab.lantern.plugins.module_utils._wire.reservation import FAILED, PROVEN, UNKNOWN

display = Display()

MODULE = "homelab.lantern.reservation_proof"
COLOURS = {PROVEN: constants.COLOR_OK, UNKNOWN: constants.COLOR_WARN, FAILED: constants.COLOR_ERROR}


class ActionModule(ActionBase):
    """Runs the module on the host and shows what it found."""

    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        result: dict[str, t.Any] = self._execute_module(
            module_name=MODULE, module_args=dict(self._task.args), task_vars=task_vars
        )
        if result.get("table"):
            display.display(f"    LAN {self._task.args.get('network')}")
        for number, line in enumerate(result.get("table") or []):
            display.display(f"    {line}", color=COLOURS.get(result["verdict"]) if number else None)
        return result
