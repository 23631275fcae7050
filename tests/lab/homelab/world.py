# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A world: private network, mount, PID and cgroup namespaces held by one process.

Its first process does nothing but reap; when it is killed the kernel ends every other process of the world, and with
the last of them go all mounts, network namespaces, interfaces and firewall rules that were made inside. Only the
cgroup folders and the state folder are left for `destroy` to remove.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from . import paths
from .container import PID_FILE
from .shell import LabError

MARK = "homelab-world"
CGROUPS = Path("/sys/fs/cgroup")


def _mark() -> str:
    return f"{MARK}:{paths.lab_name()}"


def find() -> int | None:
    """The PID, as this machine sees it, of the running lab's first process."""
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            if _mark().encode() not in process.joinpath("cmdline").read_bytes().split(b"\0"):
                continue
            namespaced = next(
                line for line in process.joinpath("status").read_text().splitlines() if line.startswith("NSpid:")
            ).split()
            if len(namespaced) > 2 and namespaced[-1] == "1":
                return int(process.name)
    return None


def require() -> int:
    """The PID of the lab's first process.

    Raises:
        LabError: no lab is up.
    """
    pid = find()
    if pid is None:
        raise LabError(f"no lab named {paths.lab_name()!r} is up; start it with: lab up")
    return pid


def create() -> int:
    """Start an empty world and return the PID of its first process."""
    log = paths.state() / "logs" / "world.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    groups = _make_cgroups()
    namespaces = ["--net", "--mount", "--pid", "--cgroup", "--fork", "--kill-child", "--mount-proc"]
    join = "for group; do echo $$ > $group/cgroup.procs; done"
    holder = [sys.executable, "-m", "homelab.world", _mark(), str(paths.state())]
    script = f'{join}; exec unshare {" ".join(namespaces)} -- "$HOLDER" -m homelab.world {_mark()} "$STATE"'
    with log.open("ab") as out:
        subprocess.Popen(
            ["sh", "-c", script, "world", *map(str, groups)],
            env={**os.environ, "HOLDER": holder[0], "STATE": str(paths.state())},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    ready = paths.state() / "world-ready"
    for _ in range(200):
        pid = find()
        if pid is not None and ready.exists():
            return pid
        time.sleep(0.05)
    raise LabError(f"the lab's namespaces could not be made; see {log}")


def enter(command: list[str], *, network_only: str | None = None) -> list[str]:
    """The command line that runs `command` inside the world, or only in the network of one of its hosts."""
    pid = require()
    if network_only:
        return ["nsenter", f"--net=/proc/{pid}/root/run/netns/{network_only}", "--", *command]
    return ["nsenter", f"--target={pid}", "--mount", "--net", "--pid", "--cgroup", "--", *command]


def destroy() -> None:
    """End every process of this lab, then remove its cgroups and its state. Does nothing where there is no lab."""
    pid = find()
    for stray in _network_guests(pid) if pid else []:
        with contextlib.suppress(ProcessLookupError):
            os.kill(stray, signal.SIGKILL)
    while pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
        pid = find()
    for group in _cgroup_folders():
        _remove_cgroup(group)
    shutil.rmtree(paths.state(), ignore_errors=True)
    with contextlib.suppress(OSError):
        paths.state().parent.rmdir()


def _network_guests(pid: int) -> Iterator[int]:
    """Processes outside the world's PID namespace that joined one of its networks, such as a running play."""
    networks = {os.stat(f"/proc/{pid}/ns/net").st_ino}
    with contextlib.suppress(OSError):
        networks |= {entry.stat().st_ino for entry in Path(f"/proc/{pid}/root/run/netns").iterdir()}
    own = os.stat("/proc/self/ns/net").st_ino
    for process in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if process.name.isdigit() and process.joinpath("ns/net").stat().st_ino in networks - {own}:
                yield int(process.name)


def _cgroup_mounts() -> list[Path]:
    """Every hierarchy the machine has mounted: one per v1 controller, cgroup2, or both."""
    rows = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    return [Path(row[1]) for row in rows if row[2] in ("cgroup", "cgroup2") and row[1].startswith(str(CGROUPS))]


def _cgroup_folders() -> list[Path]:
    return [mount / f"lantern-{paths.lab_name()}" for mount in _cgroup_mounts()]


def _make_cgroups() -> list[Path]:
    groups = _cgroup_folders()
    for group in groups:
        group.mkdir(exist_ok=True)
        for file in ("cpuset.cpus", "cpuset.mems"):
            # A new v1 cpuset is empty and refuses processes until it names processors and memory.
            if group.parent.name == "cpuset":
                (group / file).write_text((group.parent / file).read_text())
    return groups


def _remove_cgroup(group: Path) -> None:
    if not group.is_dir():
        return
    for _ in range(100):
        for folder, _, _ in os.walk(group, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(folder)
        if not group.exists():
            return
        time.sleep(0.05)
    raise LabError(f"{group} still holds processes; see {group}/cgroup.procs")


def _private_cgroups() -> None:
    """Show this world only its own part of each cgroup hierarchy, so that nothing in it can touch another's."""
    mounts = [(Path(r[1]), r[2], r[3]) for r in (x.split() for x in Path("/proc/mounts").read_text().splitlines())]
    ours = [m for m in mounts if m[1] in ("cgroup", "cgroup2") and str(m[0]).startswith(str(CGROUPS))]
    _mount("umount", "--recursive", str(CGROUPS))
    if [m[0] for m in ours] == [CGROUPS]:
        _mount("mount", "-t", "cgroup2", "cgroup2", str(CGROUPS))
        _delegate_cgroup2()
        return
    _mount("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(CGROUPS))
    for path, kind, options in ours:
        path.mkdir()
        if kind == "cgroup2":
            _mount("mount", "-t", "cgroup2", "cgroup2", str(path))
            continue
        named = [o for o in options.split(",") if o.startswith("name=")]
        _mount("mount", "-t", "cgroup", "-o", f"none,{named[0]}" if named else path.name, "cgroup", str(path))


def _delegate_cgroup2() -> None:
    """Give the hosts all controllers; processes may then only live in leaves, so this one moves into one."""
    leaf = CGROUPS / "world"
    leaf.mkdir(exist_ok=True)
    for pid in (CGROUPS / "cgroup.procs").read_text().split():
        (leaf / "cgroup.procs").write_text(pid)
    for controller in (CGROUPS / "cgroup.controllers").read_text().split():
        (CGROUPS / "cgroup.subtree_control").write_text(f"+{controller}")


def _mount(*command: str) -> None:
    subprocess.run(command, check=True)


def _hold(state: Path) -> None:
    """What the first process does: make the private mounts, say so, reap for ever, restart hosts that reboot."""
    _private_cgroups()
    for folder in (Path("/run/netns"), state / "world"):
        folder.mkdir(parents=True, exist_ok=True)
        _mount("mount", "-t", "tmpfs", "tmpfs", str(folder))
    _mount("ip", "link", "set", "lo", "up")
    # The switches are no hosts: without this their bridges would answer on the LAN and follow its router.
    for scope in ("all", "default"):
        Path(f"/proc/sys/net/ipv6/conf/{scope}/disable_ipv6").write_text("1")
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    (state / "world-ready").touch()
    while True:
        signal.sigwait([signal.SIGCHLD])
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if not pid:
                    break
                _ended(state, pid, status)


def _ended(state: Path, pid: int, status: int) -> None:
    """Act on the end of a host's first process: by its signal the kernel says what the host wanted (reboot(2))."""
    wanted = {int(signal.SIGHUP): "rebooted", int(signal.SIGINT): "switched-off"}
    command = wanted.get(os.WTERMSIG(status)) if os.WIFSIGNALED(status) else None
    if command is None:
        return
    for file in state.glob(f"world/hosts/*/{PID_FILE}"):
        if file.read_text().strip() == str(pid):
            subprocess.Popen([sys.executable, "-m", "homelab.inside", command, file.parent.name])


if __name__ == "__main__":
    _hold(Path(sys.argv[2]))
