# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Playbooks run as people run them, with an inventory of the test's own."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import time
from collections.abc import Callable
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
    given = _command(folder, playbook, inventory, on) | {"timeout": 180, "stdin": subprocess.DEVNULL}
    command = [*given.pop("args"), *options]
    done = subprocess.run(command, capture_output=True, text=True, **given)
    assert "[DEPRECATION WARNING]" not in done.stdout + done.stderr, done.stdout + done.stderr
    return done


def play_at_a_terminal(
    folder: Path, playbook: str, inventory: dict[str, Any], *, on: Host, prompt: str, then: Callable[[], None]
) -> tuple[int, str]:
    """Exit status and output of a play that somebody watches: does `then` at the prompt and presses Enter."""
    given = _command(folder, playbook, inventory, on)
    pid, terminal = pty.fork()
    if not pid:
        os.chdir(given["cwd"])
        os.execvpe(given["args"][0], given["args"], given["env"])
    text, asked = "", False
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 1)[0]:
            if asked:
                # Again and again: what is typed before the prompt listens is thrown away.
                os.write(terminal, b"\r")
            continue
        try:
            text += os.read(terminal, 65536).decode(errors="replace")
        except OSError:  # the last program at it has ended
            break
        if not asked and prompt in text:
            asked = True
            then()
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), text.replace("\r\n", "\n")


def _command(folder: Path, playbook: str, inventory: dict[str, Any], on: Host | None) -> dict[str, Any]:
    file = folder / "inventory.json"
    file.write_text(json.dumps(inventory))
    enter = ["nsenter", f"--target={on.pid}", "--net", "--mount"] if on else []
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    return {
        "args": [*enter, "ansible-playbook", f"--inventory={file}", str(PROJECT / "playbooks" / playbook)],
        "cwd": folder,
        "env": {
            **environment,
            "HOME": str(folder),
            "PATH": on.environment["PATH"] if on else environment["PATH"],
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / "playbooks/collections"),
        },
    }
