# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all labs of a machine share and can run out of, looked at before a lab starts and not when it fails."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from .shell import LabError
from .topology import Topology

INOTIFY_LIMIT = Path("/proc/sys/fs/inotify/max_user_instances")
# Counted on running labs: systemd and dbus of a host; kubelet, containerd and kube-proxy of a node; the API server
# and the controller manager.
INOTIFY_HOST, INOTIFY_NODE, INOTIFY_CONTROL_PLANE = 7, 8, 14


def inotify_needed(topology: Topology) -> int:
    """How many inotify instances a lab uses."""
    needed = INOTIFY_HOST * len(topology.hosts)
    if topology.kubernetes:
        needed += INOTIFY_NODE * len(topology.nodes) + INOTIFY_CONTROL_PLANE
    return needed


def inotify_used() -> int:
    """How many inotify instances root has now."""
    return sum(inotify_instances(process) for process in Path("/proc").glob("[0-9]*"))


def inotify_instances(process: Path) -> int:
    """How many of them one process has, by its folder below /proc; none unless it is root's."""
    count = 0
    # It may end, or close files, while they are listed.
    with contextlib.suppress(OSError):
        links = list(process.joinpath("fd").iterdir()) if process.stat().st_uid == 0 else []
        for link in links:
            with contextlib.suppress(OSError):
                count += os.readlink(link) == "anon_inode:inotify"
    return count


def check(topology: Topology) -> None:
    """Refuse a lab that the machine has no room for.

    Raises:
        LabError: names the limit, what is missing and how to raise it.
    """
    limit, used, needed = int(INOTIFY_LIMIT.read_text()), inotify_used(), inotify_needed(topology)
    if used + needed > limit:
        raise LabError(
            f"this lab needs {needed} inotify instances, {used} of this machine's {limit} are in use; raise the limit "
            f"with: sysctl -w fs.inotify.max_user_instances={max(1024, 2 * (used + needed))}"
        )
