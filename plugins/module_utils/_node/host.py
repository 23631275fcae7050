# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and programs of the host a module runs on. PRIVATE to the homelab.lantern collection."""

from __future__ import annotations

import os
import typing as t

from ansible.module_utils.urls import open_url

NOT_FOUND = 127


class Output(t.NamedTuple):
    """What a program left behind; `status` is NOT_FOUND where the host has no such program."""

    status: int
    text: str
    errors: str


Runner = t.Callable[[t.Sequence[str]], Output]
Fetcher = t.Callable[[str], str]


class Host:
    """Reads without ever failing: what is not there is empty. `root` shows another tree of files as the host's."""

    def __init__(self, run: Runner, fetch: Fetcher | None = None, root: str = "/") -> None:
        self._run = run
        self._fetch = fetch or nothing
        self._root = root

    def path(self, path: str) -> str:
        """Where an absolute path of the host lies."""
        return os.path.join(self._root, path.lstrip("/"))

    def text(self, path: str) -> str:
        """Contents of a file, "" for no path. Device tree files end in a NUL byte, which is taken off."""
        if not path:
            return ""
        try:
            with open(self.path(path), encoding="utf-8", errors="replace") as handle:
                return handle.read().rstrip("\0")
        except OSError:
            return ""

    def exists(self, path: str) -> bool:
        return os.path.exists(self.path(path))

    def names(self, path: str) -> list[str]:
        """What is in a folder, sorted."""
        try:
            return sorted(os.listdir(self.path(path)))
        except OSError:
            return []

    def link(self, path: str) -> str:
        """The last part of where a symbolic link leads, such as the name of a driver."""
        try:
            return os.path.basename(os.readlink(self.path(path)))
        except OSError:
            return ""

    def run(self, *command: str) -> Output:
        return self._run(command)

    def fetch(self, url: str) -> str:
        """What a web server on the host itself answers."""
        return self._fetch(url)


def nothing(_url: str) -> str:
    return ""


def of(module: t.Any) -> Host:
    """The host that an AnsibleModule runs on."""
    return Host(runner(module), fetch)


def fetch(url: str) -> str:
    try:
        with open_url(url, timeout=2, use_proxy=False) as answer:
            return answer.read(1000).decode("utf-8", "replace")
    except (OSError, ValueError):
        return ""


def runner(module: t.Any) -> Runner:
    """Runs programs by an AnsibleModule, in the C locale so that their words can be read."""

    def run(command: t.Sequence[str]) -> Output:
        path = module.get_bin_path(command[0], opt_dirs=["/usr/sbin", "/sbin", "/usr/local/bin"])
        if path is None:
            return Output(NOT_FOUND, "", f"{command[0]} is not installed")
        return Output(*module.run_command([path, *command[1:]], environ_update={"LC_ALL": "C", "LANGUAGE": "C"}))

    return run
