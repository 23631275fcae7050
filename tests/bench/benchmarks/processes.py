# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container's processes cost, read from this machine's /proc: the lab's processes are this machine's too."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_MEBIBYTE = 1024  # /proc counts in KiB


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """The sum over some processes: memory in MiB now and at its highest, processor time in seconds so far."""

    resident: float = 0.0
    peak: float = 0.0
    processor: float = 0.0


def of_container(container: str) -> list[int]:
    """PIDs of a container's processes. `container` is Kubernetes' containerID, such as containerd://4e1f…"""
    mark = container.rpartition("/")[2]
    if not mark:
        raise ValueError(f"container {container!r} has no id: has it started?")
    found = []
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdigit() and mark in (process / "cgroup").read_text() and not is_gone(int(process.name)):
                found.append(int(process.name))
    return sorted(found)


def usage(pids: Iterable[int]) -> Usage:
    """What these processes use; one that has ended counts nothing."""
    resident = peak = processor = 0.0
    for pid in pids:
        with contextlib.suppress(OSError):
            status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
            resident += int(status.get("VmRSS", "0").split()[0]) / _MEBIBYTE
            peak += int(status.get("VmHWM", "0").split()[0]) / _MEBIBYTE
            # After the name in brackets, which may hold blanks: fields 14 and 15 of proc(5), counted from field 3.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            processor += (int(fields[11]) + int(fields[12])) / _TICKS
    return Usage(resident=resident, peak=peak, processor=processor)


def is_gone(pid: int) -> bool:
    """Whether a process has ended, zombies included."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def wait_gone(pids: Iterable[int], seconds: float) -> bool:
    """Wait until all of these processes have ended; False when some are left after `seconds`."""
    deadline = time.monotonic() + seconds
    left = list(pids)
    while left := [pid for pid in left if not is_gone(pid)]:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@contextlib.contextmanager
def frozen(pids: Iterable[int]) -> Iterator[None]:
    """Stop processes by SIGSTOP for the length of the body, then let them go on."""
    stopped = list(pids)
    for pid in stopped:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in stopped:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def kill(container: str, seconds: float = 30.0) -> None:
    """End all processes of a container without warning, and wait until they have gone.

    Raises:
        TimeoutError: they do not go.
    """
    pids = of_container(container)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    if not wait_gone(pids, seconds):
        raise TimeoutError(f"processes {pids} do not end within {seconds:.0f} s of SIGKILL")
