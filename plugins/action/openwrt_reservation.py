# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps pools out of OpenWrt's DHCP ranges by shell commands alone, as OpenWrt has no Python."""

from __future__ import annotations

import time
import typing as t

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.homelab.lantern.plugins.module_utils._routers import applying, contract, openwrt
from ansible_collections.homelab.lantern.plugins.module_utils._routers import openwrt_shell as shell
from ansible_collections.homelab.lantern.plugins.module_utils._routers.request import (
    NAMES,
    OPTIONS,
    RequestError,
    host_names,
    reserved,
)

ARGUMENT_SPEC = {**OPTIONS, **NAMES, "timeout": {"type": "int", "default": 20}}


class ActionModule(ActionBase):
    """Decides here, on the machine that runs Ansible; the router reads, tests, writes and restarts."""

    _supports_check_mode = True
    _supports_diff = True

    def run(self, tmp: t.Any = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        result = super().run(tmp, task_vars)
        _checked, options = self.validate_argument_spec(argument_spec=ARGUMENT_SPEC)
        present = options["state"] == "present"
        try:
            what = reserved(options["ranges"], options["network"], present)
        except RequestError as error:
            raise AnsibleActionFail(str(error)) from error
        router = self._look()
        leases = applying.shown_leases(openwrt.leases(router.leases, time.time()), what.ranges) if present else []
        if present:
            wanted, warnings = self._wanted(router, what, leases, options)
        else:
            wanted, warnings = openwrt.release(router.files), []
        changed = contract.changes(router.files, wanted)
        restart = bool(changed) or (present and not router.up_to_date)
        if restart and router.uncommitted:
            raise AnsibleActionFail(
                "OpenWrt has DHCP settings that are not saved yet, and writing the file would mix with them:\n"
                f"{router.uncommitted}\nSave them (uci commit dhcp) or drop them (uci revert dhcp) on the router."
            )
        if not self._task.check_mode:
            if restart:
                self._apply(router, wanted, present, options["timeout"])
            if not present and router.backup is not None:
                self._run(shell.drop_backup())
        result.update(
            changed=restart,
            files=sorted(changed),
            restarted=restart,
            active_leases=leases,
            handed_out=[str(item) for _where, item in openwrt.handed_out(wanted)],
            diff=applying.diffs(router.files, wanted),
        )
        if warnings:
            result["warnings"] = warnings
        return result

    def _run(self, script: str) -> tuple[int, str]:
        """Exit status and output of a script on the router."""
        done = self._low_level_execute_command(script, sudoable=True)
        return int(done.get("rc", 1)), str(done.get("stdout", "")) + str(done.get("stderr", ""))

    def _look(self) -> shell.Seen:
        found = self._look_with(openwrt.LEASE_FILE)
        if openwrt.DHCP not in found.files:
            raise AnsibleActionFail(
                f"The router has no {openwrt.DHCP}. Is it OpenWrt? Else set lantern_router.type to what it is."
            )
        leases = shell.lease_file(found.files[openwrt.DHCP])
        return found if leases == openwrt.LEASE_FILE else self._look_with(leases)

    def _look_with(self, leases: str) -> shell.Seen:
        done = self._low_level_execute_command(shell.look(leases), sudoable=True)
        try:
            return shell.seen(str(done.get("stdout", "")), leases)
        except ValueError as error:
            said = f"{error} {done.get('stderr', '')}".strip()
            raise AnsibleActionFail(f"The router's settings cannot be read: {said}") from error

    def _wanted(
        self, router: shell.Seen, what: t.Any, leases: list[dict[str, str]], options: dict[str, t.Any]
    ) -> tuple[dict[str, str], list[str]]:
        """The files as they should be, and warnings. Ends the task when there is a reason to refuse."""
        outcome = openwrt.reserve(router.files, what.ranges, what.lan)
        fixed = openwrt.fixed_leases(router.files)
        problems = applying.refusals(outcome, fixed, what.ranges, leases, options["active_leases"])
        if problems:
            raise AnsibleActionFail("\n".join(problems), result={"active_leases": leases})
        return openwrt.with_names(outcome.files, host_names(options["names"])), outcome.warnings

    def _apply(self, router: shell.Seen, wanted: dict[str, str], present: bool, timeout: int) -> None:
        """Tests, writes, restarts, waits. Ends the task with everything put back when the server does not serve."""
        before, after = router.files[openwrt.DHCP], wanted[openwrt.DHCP]
        for text, which in ((before, "its present settings"), (after, "the new settings")):
            status, said = self._run(shell.test(text))
            if status:
                raise AnsibleActionFail(f"OpenWrt does not accept {which}, so nothing was changed: {said.strip()}")
        keep = openwrt.release(router.files)[openwrt.DHCP] if present and router.backup is None else None
        status, said = self._run(shell.write(after, keep))
        if status:
            raise AnsibleActionFail(f"The settings cannot be written on the router: {said.strip()}")
        status, said = self._run(shell.restart(shell.odhcpd_serves(after), timeout))
        if status == 0:
            return
        messages = self._run(shell.log())[1].strip() or said.strip() or "(nothing)"
        self._run(shell.write(before, None))
        status, _said = self._run(shell.restart(shell.odhcpd_serves(before), timeout))
        raise AnsibleActionFail(
            f"The DHCP server did not serve within {timeout} s. The former settings were put back, and with them it "
            f"{'serves again' if status == 0 else 'does not start either'}. It said: {messages}"
        )
