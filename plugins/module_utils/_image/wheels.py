# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Python packages of the image, for any architecture, by pip. PRIVATE to the homelab.lantern collection.

pip can download and unpack wheels for another machine than its own; nothing of them runs here.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import typing as t

from .errors import ImageError

MACHINES = {"amd64": "x86_64", "arm64": "aarch64", "arm": "armv7l"}
# Wheels name the oldest C library that they run with. That of Debian 12 is 2.36, and no base image has an older one;
# 2.17 is the oldest in use.
NEWEST_GLIBC, OLDEST_GLIBC = 36, 17
REQUIREMENT = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)")


class Pin(t.NamedTuple):
    """One line of the lock."""

    name: str
    version: str


def normalized(name: str) -> str:
    """A package's name as wheel files spell it."""
    return re.sub(r"[-_.]+", "_", name).lower()


class Lock(t.NamedTuple):
    """A lock file, and the names in it whose packages come from elsewhere."""

    path: str
    without: t.Sequence[str] = ()

    def lines(self) -> list[tuple[Pin, str]]:
        """Each pin that counts with its whole line, hashes included. ImageError for a line that pins nothing."""
        left_out = {normalized(name) for name in self.without}
        with open(self.path, encoding="utf-8") as stream:
            text = stream.read().replace("\\\n", " ")
        found = []
        for line in text.splitlines():
            line = line.split(" #")[0].strip()
            if not line or line.startswith(("#", "-")):
                continue
            pin = REQUIREMENT.match(line)
            if pin is None:
                raise ImageError(f"{self.path}: {line!r} is not pinned: write it as name==version.")
            if normalized(pin.group(1)) not in left_out:
                found.append((Pin(pin.group(1), pin.group(2)), line))
        return found

    def pins(self) -> list[Pin]:
        """The packages that count."""
        return [pin for pin, _line in self.lines()]


def missing(lock: Lock, folder: str) -> list[Pin]:
    """The packages of the lock for which `folder` holds no wheel."""
    there = {tuple(name.split("-")[:2]) for name in os.listdir(folder)} if os.path.isdir(folder) else set()
    there = {(normalized(parts[0]), parts[1]) for parts in there if len(parts) == 2}
    return [pin for pin in lock.pins() if (normalized(pin.name), pin.version) not in there]


def platform_options(architecture: str, python_version: str) -> list[str]:
    """pip's options for wheels of another machine."""
    machine = MACHINES[architecture]
    options = ["--only-binary", ":all:", "--implementation", "cp", "--python-version", python_version]
    for minor in range(NEWEST_GLIBC, OLDEST_GLIBC - 1, -1):
        options += ["--platform", f"manylinux_2_{minor}_{machine}"]
    return [*options, "--platform", f"manylinux2014_{machine}"]


def download(lock: Lock, folder: str, architecture: str, python_version: str) -> bool:
    """Fetch the wheels that `folder` lacks; True if there were any. ImageError if that fails."""
    lacking = missing(lock, folder)
    if not lacking:
        return False
    os.makedirs(folder, exist_ok=True)
    try:
        with _written(lock) as path:
            _pip(
                ["download", "--no-deps", "--dest", folder, *platform_options(architecture, python_version), "-r", path]
            )
    except ImageError as exc:
        names = ", ".join(f"{pin.name} {pin.version}" for pin in lacking[:3])
        more = f" and {len(lacking) - 3} more" if len(lacking) > 3 else ""
        raise ImageError(
            f"The Python packages of the image for {architecture} cannot be downloaded ({names}{more}): {exc}. "
            "This machine needs the Internet for that once: run playbooks/fetch.yml while it has it; everything is "
            f"then taken from {os.path.dirname(folder)}."
        ) from exc
    return True


def unpack(lock: Lock, folder: str, architecture: str, python_version: str, target: str) -> None:
    """Unpack the wheels in `folder` to `target`, without network. ImageError if that fails."""
    options = ["--no-deps", "--no-index", "--find-links", folder, "--no-compile", "--target", target]
    try:
        with _written(lock) as path:
            _pip(["install", *options, *platform_options(architecture, python_version), "-r", path])
    except ImageError as exc:
        raise ImageError(f"The Python packages of the image for {architecture} cannot be unpacked: {exc}.") from exc


@contextlib.contextmanager
def _written(lock: Lock) -> t.Iterator[str]:
    """A file with the lines that count, as pip takes all of a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "requirements.lock")
        with open(path, "w", encoding="utf-8") as stream:
            stream.write("".join(f"{line}\n" for _pin, line in lock.lines()))
        yield path


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
