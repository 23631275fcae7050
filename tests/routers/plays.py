# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks run as people run them, with an inventory of the test's own."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from lan import PROJECT, Host

# Every host of these inventories is the machine that runs Ansible.
HERE = {
    "ansible_connection": "local",
    "ansible_python_interpreter": "{{ ansible_playbook_python }}",
    "ansible_become": False,
}


def play(
    folder: Path, playbook: str, inventory: dict[str, Any], *options: str, on: Host | None = None
) -> subprocess.CompletedProcess[str]:
    """ansible-playbook with `folder` as its place for everything, on this machine or on a host of a test LAN."""
    file = folder / "inventory.json"
    file.write_text(json.dumps(inventory))
    enter = ["nsenter", f"--target={on.pid}", "--net", "--mount"] if on else []
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    done = subprocess.run(
        [*enter, "ansible-playbook", f"--inventory={file}", str(PROJECT / "playbooks" / playbook), *options],
        capture_output=True, text=True, timeout=180, stdin=subprocess.DEVNULL, cwd=folder,
        env={
            **environment,
            "HOME": str(folder),
            "PATH": on.environment["PATH"] if on else environment["PATH"],
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / "playbooks/collections"),
        },
    )  # fmt: skip
    assert "[DEPRECATION WARNING]" not in done.stdout + done.stderr, done.stdout + done.stderr
    return done
