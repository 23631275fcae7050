# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing a server's files from one state to another on this machine, or back. PRIVATE to the collection.

The new configuration is tested before anything is written; untouched copies are kept while there is a reservation; when
the server does not serve afterwards, the former files are put back and it is restarted with them.
"""

from __future__ import annotations

import os
import time
from typing import Any, Protocol

from ansible_collections.homelab.lantern.plugins.module_utils._routers import contract
from ansible_collections.homelab.lantern.plugins.module_utils._routers.service import read_text


class ApplyError(Exception):
    """The text is for the person at the terminal."""


class Server(Protocol):
    """The server whose files are changed; `title` names it in sentences."""

    title: str

    def objection(self, files: dict[str, str]) -> str:
        """What the server's own test says against a configuration, "" when nothing."""

    def restart(self) -> str:
        """Makes the server read its files; returns what went wrong, "" when nothing did."""

    def serves(self, seconds: float) -> bool:
        """Whether it serves within this time."""

    def said(self, since: float) -> str:
        """The server's last messages since then (seconds since 1970)."""


class Files:
    """The files of one server, and their untouched copies in `backup_dir`. `module`: an AnsibleModule."""

    def __init__(self, module: Any, backup_dir: str) -> None:
        self._module = module
        self._backup_dir = backup_dir

    def backup_path(self, path: str) -> str:
        """Where the untouched copy of a file is kept."""
        return os.path.join(self._backup_dir, path.strip("/").replace("/", "__"))

    def backups(self, paths: list[str], changed: dict[str, Any]) -> list[str]:
        """The copies that there are, or will be when these changes are made."""
        return [
            self.backup_path(path)
            for path in sorted(paths)
            if path in changed or os.path.exists(self.backup_path(path))
        ]

    def write(self, path: str, text: str | None) -> None:
        """Replaces a file in one step, None deletes it; owner, mode and security context stay."""
        if text is None:
            if os.path.exists(path):
                os.unlink(path)
                _remove_empty(os.path.dirname(path))
            return
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        scratch = os.path.join(self._module.tmpdir, os.path.basename(path))
        with open(scratch, "w", encoding="utf-8", errors="surrogateescape", newline="") as handle:
            handle.write(text)
        if not os.path.exists(path):
            os.chmod(scratch, 0o644)
        self._module.atomic_move(scratch, os.path.realpath(path))

    def keep_backups(self, originals: dict[str, str], changed: dict[str, str | None]) -> None:
        """Copies of the files as they were before the first reservation; an older copy is never replaced."""
        for path in changed:
            backup = self.backup_path(path)
            if path in originals and not os.path.exists(backup):
                os.makedirs(os.path.dirname(backup), mode=0o755, exist_ok=True)
                self.write(backup, originals[path])

    def drop_backups(self, restored: dict[str, str]) -> None:
        """Removes the copies that are the same as the restored files, and says so for the others."""
        for path, text in restored.items():
            backup = self.backup_path(path)
            if not os.path.exists(backup):
                continue
            if read_text(backup) == text:
                os.unlink(backup)
            else:
                self._module.warn(
                    f"{path} was also edited by somebody else meanwhile; {backup} is a copy of how it was before."
                )
        for folder in (self._backup_dir, os.path.dirname(self._backup_dir)):
            _remove_empty(folder)

    def apply(self, server: Server, before: dict[str, str], after: dict[str, str], timeout: float) -> None:
        """Tests, writes, restarts, waits. Raises ApplyError with everything put back when the server does not serve."""
        for files, which in ((before, "its present configuration"), (after, "the new configuration")):
            objection = server.objection(files)
            if objection:
                raise ApplyError(f"{server.title} does not accept {which}, so nothing was changed: {objection}")
        changed = contract.changes(before, after)
        begin = time.time()
        for path, text in changed.items():
            self.write(path, text)
        wrong = server.restart()
        if not wrong and server.serves(timeout):
            return
        said = server.said(begin) or wrong or "(nothing)"
        for path in changed:
            self.write(path, before.get(path))
        outcome = f"{server.title} was not started with its configuration unchanged"
        if changed:
            again = server.restart()
            recovered = not again and server.serves(timeout)
            outcome = "The former files were put back, and with them {} {}".format(
                server.title, "serves again" if recovered else "does not start either"
            )
        raise ApplyError(f"{server.title} did not serve within {timeout} s. {outcome}. It said: {said}")


def _remove_empty(folder: str) -> None:
    if os.path.isdir(folder) and not os.listdir(folder):
        os.rmdir(folder)


def shown_leases(leases: list[contract.Lease], reserved: Any) -> list[dict[str, str]]:
    """The leases inside the ranges, for people."""
    return [
        {
            "address": str(item.address),
            "mac": item.mac,
            "name": item.name,
            "expires": time.strftime("%Y-%m-%d %H:%M", time.localtime(item.expiry)) if item.expiry else "never",
        }
        for item in leases
        if any(item.address in part for part in reserved)
    ]


def refusals(
    outcome: contract.Outcome,
    fixed: list[contract.FixedLease],
    reserved: Any,
    leases: list[dict[str, str]],
    active_leases: str,
) -> list[str]:
    """Every reason against a reservation; `leases` as `shown_leases` gives them, `active_leases` as the option."""
    problems = [item.message for item in outcome.problems]
    problems += [item.message for item in contract.fixed_lease_problems(fixed, reserved)]
    return problems + (lease_refusals(leases) if active_leases == "refuse" else [])


def lease_refusals(leases: list[dict[str, str]]) -> list[str]:
    """Why leases in the pools stand in the way, and what can be done; [] when there are none."""
    if not leases:
        return []
    listed = [
        'Address {address} in the pools is leased to {mac} (name "{name}") until {expires}.'.format(**item)
        for item in leases
    ]
    return [
        *listed,
        "Move the pools, or reserve in spite of these leases (reserve_active_leases: ignore): "
        "the hosts then get another address when they renew.",
    ]


def diffs(before: dict[str, str], after: dict[str, str]) -> list[dict[str, str]]:
    """The changes as Ansible shows them."""
    return [
        {"before_header": name, "after_header": name, "before": before.get(name, ""), "after": text or ""}
        for name, text in sorted(contract.changes(before, after).items())
    ]
