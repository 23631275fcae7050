# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one has to know about the machine to read the figures."""

from __future__ import annotations

import datetime
import os
import platform
from pathlib import Path

from homelab import artifacts


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
