# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one has to know about the machine to read the figures."""

from __future__ import annotations

import datetime
import os
import platform
import time
from pathlib import Path

from homelab import artifacts

REST_SECONDS = 120.0
# Of all processors' time; three idle nodes with their API server need about a fifth.
_BUSY_AT_REST = 0.4
_GLANCE_SECONDS = 3.0


def facts() -> dict[str, str]:
    """Title and value of each fact."""
    memory = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemTotal"))
    models = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "Date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "Processor": f"{os.cpu_count()} cores, {models[0].partition(':')[2].strip() if models else platform.machine()}",
        "Memory": f"{int(memory.split()[1]) / 1024 / 1024:.0f} GiB",
        "Kernel": platform.release(),
        "Kubernetes": f"{artifacts.KUBERNETES_VERSION}, etcd {artifacts.ETCD_VERSION}, 3 nodes, all on this machine",
        "Python of the measuring side": platform.python_version(),
    }


def wait_for_rest() -> None:
    """Wait until the processors are mostly idle, at most `REST_SECONDS`: some machines never are."""
    deadline = time.monotonic() + REST_SECONDS
    while time.monotonic() < deadline:
        before = _processor_times()
        time.sleep(_GLANCE_SECONDS)
        idle, total = (now - then for now, then in zip(_processor_times(), before, strict=True))
        if idle >= (1 - _BUSY_AT_REST) * total:
            return


def _processor_times() -> tuple[int, int]:
    """Ticks that all processors have been idle, and in all; proc_stat(5)."""
    ticks = [int(number) for number in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return ticks[3] + ticks[4], sum(ticks)
