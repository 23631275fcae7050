# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of ansible-playbook says at its end."""

from __future__ import annotations

import re


def recap(said: str) -> dict[str, dict[str, int]]:
    """Each host's counts by Ansible's names for them; {} where the run did not come to its end."""
    rows = re.findall(r"^(\S+)\s+: (ok=.*)$", said, re.MULTILINE)
    return {host: {name: int(count) for name, count in re.findall(r"(\w+)=(\d+)", counts)} for host, counts in rows}
