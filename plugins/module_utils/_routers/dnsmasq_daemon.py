# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""dnsmasq as it runs on this machine: its process, the files it reads, restarting it. PRIVATE to the collection.

Runs on the router. What the files mean is decided in dnsmasq.py alone.
"""

from __future__ import annotations

import glob
import os
import re
import shlex
from dataclasses import dataclass, field
from typing import Callable, Sequence

from ansible_collections.homelab.lantern.plugins.module_utils._routers import dnsmasq
from ansible_collections.homelab.lantern.plugins.module_utils._routers.service import (
    Run,
    Service,
    arguments,
    read_text,
)

COMMAND_LINE = "(command line)"
LEASE_FILES = ("/var/lib/misc/dnsmasq.leases", "/var/lib/dnsmasq/dnsmasq.leases", "/tmp/dhcp.leases")
LEASE_FILES += ("/etc/pihole/dhcp.leases",)
"""Where Debian, Red Hat, OpenWrt and Pi-hole builds keep leases when the configuration does not say."""

_ARGUMENTS = {
    "C": "conf-file",
    "7": "conf-dir",
    "F": "dhcp-range",
    "G": "dhcp-host",
    "l": "dhcp-leasefile",
    "9": "leasefile-ro",
    "Z": "read-ethers",
}
_FLAGS = ("leasefile-ro", "read-ethers")


@dataclass
class Sources:
    """What dnsmasq reads: option files in reading order (one may be the command line), host files, /etc/ethers."""

    options: dict[str, str] = field(default_factory=dict)
    hosts: dict[str, str] = field(default_factory=dict)
    ethers: str = ""
    children: dict[tuple[str, int], list[str]] = field(default_factory=dict)
    """Which files the line (file, number) includes."""

    def flat(self, replaced: dict[str, str]) -> tuple[str, list[tuple[str, int]]]:
        """All options as one text, files standing where they are included, and where each line comes from.

        `replaced`: texts to take instead of those that were read; their lines may differ, their includes may not.
        """
        lines: list[str] = []
        origins: list[tuple[str, int]] = []
        top = [path for path in self.options if not any(path in paths for paths in self.children.values())]
        done: set[str] = set()

        def expand(path: str) -> None:
            done.add(path)
            included = [paths for (owner, _number), paths in sorted(self.children.items()) if owner == path]
            for number, line in enumerate(replaced.get(path, self.options[path]).split("\n"), 1):
                if _includes_options(line):
                    paths = included.pop(0)
                    for child in paths:
                        if child not in done:  # dnsmasq, too, reads each file once
                            expand(child)
                    if paths:
                        continue
                if path != COMMAND_LINE:
                    lines.append(line)
                    origins.append((path, number))

        for path in top:
            expand(path)
        return "\n".join(lines) + "\n", origins


def _includes_options(line: str) -> bool:
    return any(item.kind in ("conf-file", "conf-dir") for item in dnsmasq.includes(line))


def arguments_as_options(arguments: Sequence[str]) -> str:
    """What a dnsmasq command line says about files, ranges and hosts, written as lines of a configuration file."""
    lines = []
    queue = list(arguments)
    while queue:
        word = queue.pop(0)
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            if name in _ARGUMENTS.values() and not equals and name not in _FLAGS and queue:
                value = queue.pop(0)
        elif len(word) > 1 and word[0] == "-" and word[1] in _ARGUMENTS:
            name, value = _ARGUMENTS[word[1]], word[2:]
            if not value and name not in _FLAGS and queue:
                value = queue.pop(0)
        else:
            continue
        if name in _ARGUMENTS.values():
            lines.append(f"{name}={value}" if value else name)
    return "\n".join(lines)


def debian_defaults(text: str) -> list[str]:
    """The command line that Debian's start script makes from /etc/default/dnsmasq."""
    values = {}
    for word in shlex.split(text, comments=True):
        name, equals, value = word.partition("=")
        if equals:
            values[name] = value
    arguments = ["-7", values["CONFIG_DIR"]] if values.get("CONFIG_DIR") else []
    return arguments + shlex.split(values.get("DNSMASQ_OPTS", ""))


def read_sources(config_file: str, arguments: Sequence[str]) -> Sources:
    """Everything dnsmasq reads when started with these arguments. Raises OSError for a file that cannot be read."""
    sources = Sources()
    command_line = arguments_as_options(arguments)
    named = [item for item in dnsmasq.includes(command_line) if item.kind == "conf-file"]
    if command_line:
        _add(sources, COMMAND_LINE, command_line)
    # dnsmasq starts without its default file when it finds other options.
    if not named and (os.path.exists(config_file) or len(sources.options) < 2):
        _add(sources, config_file, read_text(config_file))
    return sources


def _add(sources: Sources, path: str, text: str) -> None:
    """Adds a file and all that it includes."""
    if path in sources.options:
        return
    sources.options[path] = text
    for number, line in enumerate(text.split("\n"), 1):
        for item in dnsmasq.includes(line):
            if item.kind == "ethers":
                sources.ethers = read_text(item.path) if os.path.exists(item.path) else ""
                continue
            paths = _members(item)
            if item.kind in ("conf-file", "conf-dir"):
                sources.children[(path, number)] = paths
                for child in paths:
                    _add(sources, child, read_text(child))
            else:
                for child in paths:
                    sources.hosts[child] = read_text(child)


def _members(item: dnsmasq.Include) -> list[str]:
    if os.path.isdir(item.path):
        names = dnsmasq.directory_members(os.listdir(item.path), item.suffixes)
        paths = [os.path.join(item.path, name) for name in names]
    else:
        paths = sorted(glob.glob(item.path))  # Versions from 2.86 take wild cards here; older ones find no such file.
    return [path for path in paths if os.path.isfile(path)]


def lease_file(sources: Sources) -> str | None:
    """Where this dnsmasq keeps its leases; None when it keeps no such file or has not written one yet."""
    if dnsmasq.last_option(sources.options, "leasefile-ro") is not None:
        return None
    configured = dnsmasq.last_option(sources.options, "dhcp-leasefile")
    return next((path for path in ([configured] if configured else LEASE_FILES) if os.path.isfile(path)), None)


def dhcp_port(sources: Sources) -> int | None:
    """The UDP port it must listen on to serve DHCP; None when it serves no IPv4 range."""
    # A range of mode static has no two addresses, but it makes dnsmasq listen as well.
    values = [
        dnsmasq.option(line)[1]
        for text in sources.options.values()
        for line in text.split("\n")
        if dnsmasq.option(line)[0] == "dhcp-range"
    ]
    if not any(re.search(r"(^|[,\s])\d+\.\d+\.\d+\.\d+\s*,", value) for value in values):
        return None
    alternate = dnsmasq.last_option(sources.options, "dhcp-alternate-port")
    return 67 if alternate is None else int(alternate.split(",")[0] or 1067)


PROGRAMS = ("dnsmasq", "pihole-FTL")


class Daemon:
    """The service that runs dnsmasq, or Pi-hole's program with dnsmasq in it. `bin_path` finds programs."""

    def __init__(self, run: Run, bin_path: Callable[[str], str | None], service: str, config_file: str) -> None:
        self._run = run
        self._bin_path = bin_path
        self._config_file = config_file
        self.service = Service(run, bin_path, service, PROGRAMS, self._reads_config)

    def _reads_config(self, pid: int) -> bool:
        # libvirt and NetworkManager run dnsmasq processes of their own; they name another file.
        text = arguments_as_options(self.arguments(pid))
        files = [item.path for item in dnsmasq.includes(text) if item.kind == "conf-file"]
        return self._config_file in files if files else self._config_file == "/etc/dnsmasq.conf"

    def arguments(self, pid: int | None) -> list[str]:
        """The command line it runs with, or would be started with."""
        if pid is not None:
            return arguments(pid)
        try:
            return debian_defaults(read_text("/etc/default/dnsmasq"))
        except (OSError, ValueError):
            return []

    def test(self, sources: Sources, replaced: dict[str, str], scratch: str) -> str:
        """What `dnsmasq --test` objects to when some files are replaced, "" when nothing. `scratch`: a file to use."""
        own, pihole = self._bin_path("dnsmasq"), self._bin_path("pihole-FTL")
        if not own and not pihole:
            return "The program dnsmasq was not found on this machine."
        text, origins = sources.flat(replaced)
        with open(scratch, "w", encoding="utf-8", errors="surrogateescape", newline="") as handle:
            handle.write(text)
        # What follows "--" goes to the dnsmasq inside pihole-FTL.
        inside_pihole = pihole and ("pihole" in self.service.name.lower() or not own)
        command = [str(pihole), "--"] if inside_pihole else [str(own)]
        status, output, error = self._run([*command, "--test", f"--conf-file={scratch}"])
        if status == 0:
            return ""

        def place(match: re.Match[str]) -> str:
            path, number = origins[min(int(match.group(1)), len(origins)) - 1]
            return f"line {number} of {path}"

        return re.sub(r"line (\d+) of " + re.escape(scratch), place, (error or output).strip())
