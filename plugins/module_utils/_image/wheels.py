# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Python packages of the image, for any architecture, by pip. PRIVATE to the homelab.lantern collection.

pip can download and unpack wheels for another machine than its own; nothing of them runs here.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import typing as t

from .errors import ImageError

MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
# Wheels name the oldest C library that they run with. The base image's (Debian 12) is 2.36; 2.17 is the oldest in use.
NEWEST_GLIBC, OLDEST_GLIBC = 36, 17
REQUIREMENT = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)")


class Pin(t.NamedTuple):
    """One line of the lock."""

    name: str
    version: str


def normalized(name: str) -> str:
    """A package's name as wheel files spell it."""
    return re.sub(r"[-_.]+", "_", name).lower()


def pins(lock: str) -> list[Pin]:
    """The packages that a lock file names. ImageError for a line that pins nothing."""
    with open(lock, encoding="utf-8") as stream:
        text = stream.read().replace("\\\n", " ")
    found = []
    for line in text.splitlines():
        line = line.split(" #")[0].strip()
        if not line or line.startswith(("#", "-")):
            continue
        pin = REQUIREMENT.match(line)
        if pin is None:
            raise ImageError(f"{lock}: {line!r} is not pinned: write it as name==version.")
        found.append(Pin(pin.group(1), pin.group(2)))
    return found


def missing(lock: str, folder: str) -> list[Pin]:
    """The packages of the lock for which `folder` holds no wheel."""
    there = {tuple(name.split("-")[:2]) for name in os.listdir(folder)} if os.path.isdir(folder) else set()
    there = {(normalized(parts[0]), parts[1]) for parts in there if len(parts) == 2}
    return [pin for pin in pins(lock) if (normalized(pin.name), pin.version) not in there]


def platform_options(architecture: str, python_version: str) -> list[str]:
    """pip's options for wheels of another machine."""
    machine = MACHINES[architecture]
    options = ["--only-binary", ":all:", "--implementation", "cp", "--python-version", python_version]
    for minor in range(NEWEST_GLIBC, OLDEST_GLIBC - 1, -1):
        options += ["--platform", f"manylinux_2_{minor}_{machine}"]
    return [*options, "--platform", f"manylinux2014_{machine}"]


def download(lock: str, folder: str, architecture: str, python_version: str) -> bool:
    """Fetch the wheels that `folder` lacks; True if there were any. ImageError if that fails."""
    lacking = missing(lock, folder)
    if not lacking:
        return False
    os.makedirs(folder, exist_ok=True)
    try:
        _pip(["download", "--no-deps", "--dest", folder, *platform_options(architecture, python_version), "-r", lock])
    except ImageError as exc:
        names = ", ".join(f"{pin.name} {pin.version}" for pin in lacking[:3])
        more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
        raise ImageError(
            f"The Python packages of the image for {architecture} cannot be downloaded ({names}{more}): {exc}. "
            "This machine needs the Internet for that once: run playbooks/fetch.yml while it has it; everything is "
            f"then taken from {os.path.dirname(folder)}."
        ) from exc
    return True


def unpack(lock: str, folder: str, architecture: str, python_version: str, target: str) -> None:
    """Unpack the wheels in `folder` to `target`, without network. ImageError if that fails."""
    options = ["--no-deps", "--no-index", "--find-links", folder, "--no-compile", "--target", target]
    try:
        _pip(["install", *options, *platform_options(architecture, python_version), "-r", lock])
    except ImageError as exc:
        raise ImageError(f"The Python packages of the image for {architecture} cannot be unpacked: {exc}.") from exc


def _pip(arguments: list[str]) -> None:
    command = [*_find_pip(), "--disable-pip-version-check", "--no-input", "--quiet", "--no-color", *arguments]
    # Where pip would warn about root or look at the user's site-packages is of no meaning for a foreign target.
    environment = dict(os.environ, PIP_ROOT_USER_ACTION="ignore", PYTHONNOUSERSITE="1")
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        lines = [line.replace("ERROR: ", "") for line in done.stderr.splitlines() if "WARNING" not in line]
        lines = [line for line in lines if line.strip()]
        raise ImageError(
            "; ".join(line.strip() for line in lines[-3:]).rstrip(".") or f"pip ended with {done.returncode}"
        )


def _find_pip() -> list[str]:
    """A pip that runs here: this Python's own, else one on PATH (any Python will do for foreign wheels)."""
    if subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0:
        return [sys.executable, "-m", "pip"]
    for name in ("pip3", "pip"):
        path = shutil.which(name)
        if path:
            return [path]
    raise ImageError(
        f"there is no pip on the machine that runs Ansible (looked for `{sys.executable} -m pip` and pip3): install "
        "python3-pip, or pipx inject ansible pip"
    )
