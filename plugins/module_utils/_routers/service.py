# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A DHCP server as it runs on this machine: its process, restarting it, whether it serves. PRIVATE to the collection.

Works with systemd, with scripts in /etc/init.d under systemd, and without systemd.
"""

from __future__ import annotations

import os
import time
from typing import Callable, List, Sequence, Tuple

Run = Callable[[List[str]], Tuple[int, str, str]]
"""Runs a command: exit status, standard output, standard error."""

SETTLE_SECONDS = 0.5
"""Servers open their sockets before they have read everything, so they can still die shortly after."""


def read_text(path: str) -> str:
    """A file as text; bytes that are no UTF-8 survive reading and writing."""
    with open(path, encoding="utf-8", errors="surrogateescape", newline="") as handle:
        return handle.read()


def read_proc(path: str) -> bytes:
    """A file under /proc; empty when the process is gone or must not be looked at."""
    try:
        with open(path, "rb") as handle:
            return handle.read()
    except OSError:
        return b""


def arguments(pid: int) -> list[str]:
    """The command line of a process, without the program."""
    words = read_proc(f"/proc/{pid}/cmdline").decode("utf-8", "surrogateescape").split("\0")
    return [word for word in words[1:] if word]


class Service:
    """The service `name`, which runs one of `programs` (as in /proc/PID/comm, at most 15 characters).

    `bin_path` finds programs (AnsibleModule.get_bin_path). `is_it` tells its process from others of the same program.
    """

    def __init__(
        self,
        run: Run,
        bin_path: Callable[[str], str | None],
        name: str,
        programs: Sequence[str],
        is_it: Callable[[int], bool] = lambda pid: True,
    ) -> None:
        self.name = name
        self._run = run
        self._bin_path = bin_path
        self._programs = [program.encode() for program in programs]
        self._is_it = is_it
        self._systemctl = bin_path("systemctl") if os.path.isdir("/run/systemd/system") else None

    def known(self) -> bool:
        """Whether this machine has a service of this name."""
        if self._systemctl:
            _status, output, _error = self._run([self._systemctl, "show", "--property=LoadState", self.name])
            return output.strip().rpartition("=")[2] == "loaded"
        return os.path.exists("/etc/init.d/" + self.name)

    def pid(self) -> int | None:
        """Its process; None when it does not run."""
        if self._systemctl:
            status, output, _error = self._run([self._systemctl, "show", "--property=MainPID", self.name])
            value = output.strip().rpartition("=")[2]
            if status == 0 and value.isdigit() and int(value) > 0:
                return int(value)
            # Of a script in /etc/init.d systemd does not know the process.
        own = os.stat("/proc/self/ns/net").st_ino
        found = []
        for name in os.listdir("/proc"):
            try:
                if (
                    name.isdigit()
                    and read_proc(f"/proc/{name}/comm").strip() in self._programs
                    and os.stat(f"/proc/{name}/ns/net").st_ino == own
                    and self._is_it(int(name))
                ):
                    found.append(int(name))
            except OSError:
                continue  # gone meanwhile
        return min(found) if found else None  # Helpers are younger children.

    def is_stale(self, pid: int, paths: Sequence[str]) -> bool:
        """Whether a file was changed after the process read it."""
        words = read_proc(f"/proc/{pid}/stat").rpartition(b")")[2].split()
        if len(words) < 20:
            return False
        # Ages instead of dates: the process's start is counted on a clock that nobody sets.
        process_age = time.clock_gettime(time.CLOCK_BOOTTIME) - int(words[19]) / os.sysconf("SC_CLK_TCK")
        now = time.time()
        return any(0 <= now - os.stat(path).st_mtime < process_age - 0.1 for path in paths if os.path.exists(path))

    def restart(self) -> str:
        """Starts it anew; returns what went wrong, "" when nothing did."""
        if self._systemctl:
            # Otherwise several restarts in a row are refused with "start request repeated too quickly".
            self._run([self._systemctl, "reset-failed", self.name])
            command = [self._systemctl, "restart", self.name]
        else:
            service = self._bin_path("service")
            command = [service, self.name, "restart"] if service else ["/etc/init.d/" + self.name, "restart"]
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
            if pid is not None and _listens(pid, port):
                time.sleep(SETTLE_SECONDS)
                if self.pid() == pid:
                    return True
            time.sleep(0.2)
        return False

    def said(self, since: float) -> str:
        """The service's last messages from that time (seconds since 1970) on; "" where there is no journal."""
        journal = self._bin_path("journalctl") if self._systemctl else None
        if not journal:
            return ""
        command = [journal, "--unit", self.name, "--since", f"@{int(since)}", "--lines", "15", "--no-pager"]
        return self._run([*command, "--output", "cat"])[1].strip()


def _listens(pid: int, port: int | None) -> bool:
    """Whether the process has a UDP socket on the port; None for no port to look at."""
    if port is None:
        return True
    rows = [line.split() for line in read_proc(f"/proc/{pid}/net/udp").decode().splitlines()[1:]]
    sockets = {f"socket:[{row[9]}]" for row in rows if int(row[1].rpartition(":")[2], 16) == port}
    folder = f"/proc/{pid}/fd"
    try:
        return any(os.readlink(os.path.join(folder, name)) in sockets for name in os.listdir(folder))
    except FileNotFoundError:
        return False
    except PermissionError:
        return bool(sockets)  # A container may forbid to look at other users' processes.
