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
import time
from dataclasses import dataclass, field
from typing import Callable, List, Sequence, Tuple

from ansible_collections.homelab.lantern.plugins.module_utils._routers import dnsmasq

COMMAND_LINE = "(command line)"
LEASE_FILES = ("/var/lib/misc/dnsmasq.leases", "/var/lib/dnsmasq/dnsmasq.leases", "/tmp/dhcp.leases")
"""Where Debian, Red Hat and OpenWrt builds keep leases when the configuration does not say."""

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
_SETTLE_SECONDS = 0.5
"""dnsmasq opens its sockets before it reads the lease file, so it can still die shortly after."""

Run = Callable[[List[str]], Tuple[int, str, str]]
"""Runs a command: exit status, standard output, standard error."""


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


def read_text(path: str) -> str:
    """A file as text; bytes that are no UTF-8 survive reading and writing."""
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as handle:
        return handle.read()


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


def _read_proc(path: str) -> bytes:
    """A file under /proc; empty when the process is gone or must not be looked at."""
    try:
        with open(path, "rb") as handle:
            return handle.read()
    except OSError:
        return b""


class Daemon:
    """The service that runs dnsmasq. `bin_path` finds programs (AnsibleModule.get_bin_path)."""

    def __init__(self, run: Run, bin_path: Callable[[str], str | None], service: str, config_file: str) -> None:
        self._run = run
        self._bin_path = bin_path
        self._service = service
        self._config_file = config_file
        self._systemctl = bin_path("systemctl") if os.path.isdir("/run/systemd/system") else None

    def pid(self) -> int | None:
        """Its process; None when it does not run."""
        if self._systemctl:
            status, output, _error = self._run([self._systemctl, "show", "--property=MainPID", self._service])
            value = output.strip().rpartition("=")[2]
            return int(value) if status == 0 and value.isdigit() and int(value) > 0 else None
        own = os.stat("/proc/self/ns/net").st_ino
        found = []
        for name in os.listdir("/proc"):
            try:
                if (
                    name.isdigit()
                    and _read_proc(f"/proc/{name}/comm").strip() == b"dnsmasq"
                    and os.stat(f"/proc/{name}/ns/net").st_ino == own
                    and self._reads_config(int(name))
                ):
                    found.append(int(name))
            except OSError:
                continue  # gone meanwhile
        return min(found) if found else None  # The helper for lease scripts is a younger child.

    def _reads_config(self, pid: int) -> bool:
        # libvirt and NetworkManager run dnsmasq processes of their own; they name another file.
        text = arguments_as_options(self.arguments(pid))
        files = [item.path for item in dnsmasq.includes(text) if item.kind == "conf-file"]
        return self._config_file in files if files else self._config_file == "/etc/dnsmasq.conf"

    def arguments(self, pid: int | None) -> list[str]:
        """The command line it runs with, or would be started with."""
        if pid is not None:
            words = _read_proc(f"/proc/{pid}/cmdline").decode("utf-8", "surrogateescape").split("\0")
            return [word for word in words[1:] if word]
        try:
            return debian_defaults(read_text("/etc/default/dnsmasq"))
        except (OSError, ValueError):
            return []

    def is_stale(self, pid: int, paths: Sequence[str]) -> bool:
        """Whether a file was changed after the process read it."""
        words = _read_proc(f"/proc/{pid}/stat").rpartition(b")")[2].split()
        if len(words) < 20:
            return False
        # Ages instead of dates: the process's start is counted on a clock that nobody sets.
        process_age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(words[19]) / os.sysconf("SC_CLK_TCK")
        now = time.time()
        return any(0 <= now - os.stat(path).st_mtime < process_age - 0.1 for path in paths if os.path.exists(path))

    def test(self, sources: Sources, replaced: dict[str, str], scratch: str) -> str:
        """What `dnsmasq --test` objects to when some files are replaced, "" when nothing. `scratch`: a file to use."""
        program = self._bin_path("dnsmasq")
        if not program:
            return "The program dnsmasq was not found on this machine."
        text, origins = sources.flat(replaced)
        with open(scratch, "w", encoding="utf-8", errors="surrogateescape", newline="") as handle:
            handle.write(text)
        status, output, error = self._run([program, "--test", f"--conf-file={scratch}"])
        if status == 0:
            return ""

        def place(match: re.Match[str]) -> str:
            path, number = origins[min(int(match.group(1)), len(origins)) - 1]
            return f"line {number} of {path}"

        return re.sub(r"line (\d+) of " + re.escape(scratch), place, (error or output).strip())

    def restart(self) -> str:
        """Starts it anew; returns what went wrong, "" when nothing did."""
        if self._systemctl:
            # Otherwise several restarts in a row are refused with "start request repeated too quickly".
            self._run([self._systemctl, "reset-failed", self._service])
            command = [self._systemctl, "restart", self._service]
        else:
            service = self._bin_path("service")
            command = [service, self._service, "restart"] if service else ["/etc/init.d/" + self._service, "restart"]
        status, output, error = self._run(command)
        return (
            ""
            if status == 0
            else (error or output).strip() or "{} failed with status {}".format(" ".join(command), status)
        )

    def wait(self, port: int | None, seconds: float) -> bool:
        """Whether it serves within this time, and still does half a second later."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            pid = self.pid()
            if pid is not None and self._listens(pid, port):
                time.sleep(_SETTLE_SECONDS)
                if self.pid() == pid:
                    return True
            time.sleep(0.2)
        return False

    def _listens(self, pid: int, port: int | None) -> bool:
        if port is None:
            return True
        rows = [line.split() for line in _read_proc(f"/proc/{pid}/net/udp").decode().splitlines()[1:]]
        sockets = {f"socket:[{row[9]}]" for row in rows if int(row[1].rpartition(":")[2], 16) == port}
        folder = f"/proc/{pid}/fd"
        try:
            return any(os.readlink(os.path.join(folder, name)) in sockets for name in os.listdir(folder))
        except FileNotFoundError:
            return False
        except PermissionError:
            return bool(sockets)  # A container may forbid to look at other users' processes.

    def said(self, since: float) -> str:
        """The service's last messages from that time (seconds since 1970) on; "" where there is no journal."""
        journal = self._bin_path("journalctl") if self._systemctl else None
        if not journal:
            return ""
        command = [
            journal,
            "--unit",
            self._service,
            "--since",
            f"@{int(since)}",
            "--lines",
            "15",
            "--no-pager",
            "--output",
            "cat",
        ]
        return self._run(command)[1].strip()
