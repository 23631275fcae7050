#!/usr/bin/env python3
# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection on the newest ansible-core that there is, where every deprecation is an error.

`tests/env python tests/newest.py` makes a virtual environment in the cache for the newest Python of this machine, then
runs the collection's unit tests in it, reads every playbook, and plans with the inventory that people copy.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from homelab import paths

PROJECT = Path(__file__).resolve().parent.parent
REQUIREMENTS = ("ansible-core==2.21.*", "jmespath", "kubernetes", "netaddr", "pytest", "scapy", "PyYAML")
OLDEST_PYTHON = (3, 12)
COLLECTIONS = PROJECT / "playbooks" / "collections"


def python() -> str:
    """The newest Python of this machine that the newest ansible-core takes."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep)]
    folders += sorted((Path.home() / ".pyenv" / "versions").glob("*/bin"))
    found: dict[tuple[int, int], str] = {}
    for folder in folders:
        for program in folder.glob("python3.[0-9]*"):
            version = re.fullmatch(r"python3\.(\d+)", program.name)
            if version and "shims" not in program.parts:
                found.setdefault((3, int(version[1])), str(program))
    newest = max(found, default=(0, 0))
    if newest < OLDEST_PYTHON:
        raise SystemExit(
            f"tests/newest.py: {REQUIREMENTS[0]} needs Python {'.'.join(map(str, OLDEST_PYTHON))} or newer, and this "
            "machine has none; install one, such as with pyenv"
        )
    return found[newest]


def environment() -> Path:
    """The virtual environment's bin folder, made when the cache has none."""
    program = python()
    key = hashlib.sha256(repr((program, REQUIREMENTS)).encode()).hexdigest()[:12]
    folder = paths.cache().parent / f"venv-newest-{key}"
    if not (folder / "bin" / "pytest").exists():
        shutil.rmtree(folder, ignore_errors=True)
        print(f"installing {', '.join(REQUIREMENTS)} for {program}", flush=True)
        subprocess.run([program, "-m", "venv", str(folder)], check=True)
        subprocess.run([str(folder / "bin" / "pip"), "install", "--quiet", *REQUIREMENTS], check=True)
    return folder / "bin"


def run(bin_folder: Path, *command: str, cwd: Path) -> str:
    """The output of a program of the environment. SystemExit if it fails or mentions a deprecation."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON"))}
    kept |= {
        "PATH": f"{bin_folder}:{os.environ['PATH']}",
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_DEPRECATION_WARNINGS": "1",
        "ANSIBLE_NOCOLOR": "1",
        "PYTHONPATH": str(COLLECTIONS),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    print(f"$ {' '.join(command)}", flush=True)
    done = subprocess.run(
        [str(bin_folder / command[0]), *command[1:]], cwd=cwd, env=kept, capture_output=True, text=True, check=False
    )
    output = done.stdout + done.stderr
    if done.returncode or "[DEPRECATION WARNING]" in output:
        raise SystemExit(f"{output}\ntests/newest.py: failed: {' '.join(command)}")
    return output


def main() -> None:
    bin_folder = environment()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        print(run(bin_folder, "ansible-playbook", "--version", cwd=folder).splitlines()[0], flush=True)
        shutil.copyfile(PROJECT / "inventory.example", folder / "inventory.yml")
        inventory = "--inventory=inventory.yml"
        playbooks = sorted(str(path) for path in (PROJECT / "playbooks").glob("*.yml"))
        run(bin_folder, "ansible-playbook", inventory, "--syntax-check", *playbooks, cwd=folder)
        planned = run(bin_folder, "ansible-playbook", inventory, str(PROJECT / "playbooks/plan.yml"), cwd=folder)
        if "Pool    default" not in planned or not (folder / "lantern-report/plan.svg").exists():
            raise SystemExit(f"{planned}\ntests/newest.py: plan.yml shows no plan")
        strict = ("-W", "error::DeprecationWarning", "-W", "error::PendingDeprecationWarning")
        told = run(
            bin_folder, "pytest", "-q", "-p", "no:cacheprovider", *strict, str(PROJECT / "tests/unit"), cwd=PROJECT
        )
        print(told.splitlines()[-1])


if __name__ == "__main__":
    main()
