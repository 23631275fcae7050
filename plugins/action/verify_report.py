# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Prints the verdicts of the verify stage as a table, and fails if one is bad."""

from __future__ import annotations

import typing as t

from ansible import constants
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.homelab.lantern.plugins.module_utils._wire import report
from ansible_collections.homelab.lantern.plugins.module_utils._wire.verdicts import BAD, GOOD

display = Display()


class ActionModule(ActionBase):
    """Needs nothing of the host, so that no module runs there."""

    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        _checked, options = self.validate_argument_spec(
            argument_spec={
                "info": {"type": "dict", "required": True},
                "probes": {"type": "list", "elements": "dict", "default": []},
            }
        )
        info, probes = options["info"], options["probes"]
        rows = report.cluster_rows(info) + report.waiting_rows(info) + report.probe_rows(probes)
        lines = report.table(rows)
        colours = {BAD: constants.COLOR_ERROR, GOOD: constants.COLOR_OK}
        display.display(f"    {lines[0]}")
        for line, row in zip(lines[1:], rows):
            display.display(f"    {line}", color=colours.get(row.verdict.result))
        if not info["services"]:
            for line in report.NO_SERVICES:
                display.display(f"    {line}")
        for node in sorted({probe["own_node"] for probe in probes if probe.get("own_node")}):
            display.warning(report.ON_A_NODE.format(node))
        problem = report.complaint(rows)
        if problem and not self._task.check_mode:
            result.update(failed=True, msg=problem)
        else:
            result.update(changed=False, table=lines)
        return result
