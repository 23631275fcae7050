# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints what the module homelab.lantern.cluster_health sees while it waits."""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase
from ansible_collections.homelab.lantern.plugins.plugin_utils import _progress

MODULE = "homelab.lantern.cluster_health"
DEFAULT_TIMEOUT = 300


class ActionModule(ActionBase):
    """Only looks once where nothing is to be waited for."""

    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        super().run(tmp, task_vars)
        options = dict(self._task.args)
        seconds = float(options.get("timeout", DEFAULT_TIMEOUT))
        if seconds == 0 or self._task.check_mode:
            return self._execute_module(module_name=MODULE, module_args=options, task_vars=task_vars)
        return _progress.follow(self._execute_module, MODULE, options, seconds, task_vars)
