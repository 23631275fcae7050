# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lantern's playbook as its users run it, and what it says at the end."""

from __future__ import annotations

import os
import subprocess
import time
from dataclasses import dataclass

from homelab.recap import recap
from homelab.shell import LabError

from . import lab


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How long it took, and how many tasks changed something, over all hosts."""

    seconds: float
    changed: int


def site() -> Run:
    """Run site.yml against the running lab.

    Raises:
        LabError: it failed, with its last lines.
    """
    log = lab.folder() / "site.log"
    env = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}
    command = [lab.LAB, "ansible-playbook", "playbooks/site.yml"]
    started = time.monotonic()
    with log.open("w") as out:
        done = subprocess.run(command, cwd=lab.PROJECT, env=env, stdout=out, stderr=subprocess.STDOUT)
    seconds = time.monotonic() - started
    said = log.read_text()
    if done.returncode:
        tail = "\n".join(said.splitlines()[-25:])
        raise LabError(f"site.yml failed:\n{tail}\nwhole log: {log}")
    return Run(seconds=seconds, changed=changed(said))


def changed(said: str) -> int:
    """The sum over all hosts of the recap, with which a run ends.

    Raises:
        LabError: there is no recap.
    """
    if not (hosts := recap(said)):
        raise LabError("site.yml ended without a recap")
    return sum(counts["changed"] for counts in hosts.values())
