# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints what all nodes are and lack, as a table."""

from __future__ import annotations

import typing as t

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.homelab.lantern.plugins.module_utils._node import table

display = Display()


class ActionModule(ActionBase):
    """Needs nothing of any host, so that no module runs there."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        _checked, options = self.validate_argument_spec(argument_spec={"nodes": {"type": "dict", "required": True}})
        nodes = dict(sorted(options["nodes"].items()))
        lines = table.aligned([table.cells(name, seen["node"]) for name, seen in nodes.items()])
        complaints = [line for name, seen in nodes.items() for line in table.complaints(name, seen["lacks"])]
        for line in lines:
            display.display(f"    {line}")
        for line in complaints:
            display.display(f"    {line}", color=constants.COLOR_WARN)
        result.update(changed=False, table=lines, complaints=complaints)
        return result
