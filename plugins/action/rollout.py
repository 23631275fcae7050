# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints what the module homelab.lantern.rollout sees while it waits."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.homelab.lantern.plugins.plugin_utils import _progress

MODULE = "homelab.lantern.rollout"
DEFAULT_TIMEOUT = 180


class ActionModule(ActionBase):
    """Runs the module again and again; each run ends when there is something new to print."""

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        options = dict(self._task.args)
        seconds = float(options.get("timeout", DEFAULT_TIMEOUT))
        return _progress.follow(self._execute_module, MODULE, options, seconds, task_vars)
