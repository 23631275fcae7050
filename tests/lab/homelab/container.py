# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One host as a container: an overlay over the shared root file system, systemd as PID 1, started by runc.

Runs inside the world. Hosts have wide powers, as real machines do, but what the kernel shares between all machines
(sysctls outside net, clock, swap, modules) is out of their reach.
"""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

from .shell import LabError, run

# In the kernel's order (include/uapi/linux/capability.h); what the machine itself lacks cannot be given on.
CAPABILITIES = (
    "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE "
    "NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN "
    "SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE "
    "MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE"
).split()
WITHHELD = {"SYS_MODULE", "SYS_TIME", "SYS_RAWIO"}
MACHINE_WIDE_CALLS = [
    "swapon", "swapoff", "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load",
]  # fmt: skip
# kubelet insists on these values and would set them for the whole machine; each host is shown a file instead.
KUBELET_SYSCTLS = {
    "vm/overcommit_memory": 1,
    "vm/panic_on_oom": 0,
    "kernel/panic": 10,
    "kernel/panic_on_oops": 1,
    "kernel/keys/root_maxkeys": 1000000,
    "kernel/keys/root_maxbytes": 25000000,
}
BOOT = "\n".join(
    (
        "#!/bin/sh",
        "mount --make-rshared /",
        "mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys",
        "mount --bind /proc/sys/net /proc/sys/net && mount -o remount,bind,rw /proc/sys/net",
        "f=/proc/sysrq-trigger; [ ! -e $f ] || { mount --bind $f $f && mount -o remount,bind,ro $f; }",
        "mkdir -p /run/shown-sysctls",
        *(
            f"f=/run/shown-sysctls/{path.replace('/', '.')}; echo {value} > $f && mount --bind $f /proc/sys/{path}"
            for path, value in KUBELET_SYSCTLS.items()
        ),
        # The machine's own stays the same for ever; a host that was rebooted must be seen to have a new one.
        "f=/run/shown-sysctls/kernel.random.boot_id; i=/proc/sys/kernel/random; cat $i/uuid > $f",
        "mount --bind $f $i/boot_id",
        "exec /sbin/init",
        "",
    )
)
# In a host's folder: its PID 1, as the world sees it.
PID_FILE = "pid"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A folder of the machine shown to a host. `shared`: mounts made below it are seen on both sides."""

    source: Path
    target: str
    read_only: bool = False
    shared: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """The files and the life of one host. `world` is the world's private tmpfs, `logs` lies outside it."""

    name: str
    world: Path
    logs: Path
    rootfs: Path
    mounts: tuple[Mount, ...] = ()

    @property
    def folder(self) -> Path:
        return self.world / "hosts" / self.name

    @property
    def root(self) -> Path:
        """The host's root folder; what is written here before the start is what the host boots with."""
        return self.folder / "root"

    def unpack(self) -> None:
        """Mount the host's own writable view of the root file system; keeps what an earlier boot wrote."""
        if self.root.is_mount():
            return
        for part in ("upper", "work", "root"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        options = f"lowerdir={self.rootfs},upperdir={self.folder}/upper,workdir={self.folder}/work"
        run(["mount", "-t", "overlay", "overlay", "-o", options, str(self.root)])

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Put a file into the host's root folder."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.unlink(missing_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def enable(self, unit: str) -> None:
        """Have systemd start a unit at boot."""
        wants = self.root / "etc/systemd/system/multi-user.target.wants"
        wants.mkdir(parents=True, exist_ok=True)
        link = wants / unit
        if not link.is_symlink():
            link.symlink_to(f"/lib/systemd/system/{unit}")

    def start(self) -> None:
        """Boot the host; returns when its PID 1 runs, which is before its services do."""
        self.write("/usr/local/sbin/boot", BOOT, 0o755)
        (self.folder / "config.json").write_text(json.dumps(self._config(), indent=1))
        console = self.logs / f"{self.name}.console.log"
        with console.open("ab") as out:
            command = [*self._runc(), "run", "--detach", "--bundle", str(self.folder)]
            command += ["--pid-file", str(self.folder / PID_FILE), self.name]
            done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, check=False)
        if done.returncode:
            raise LabError(f"host {self.name} did not start; see {console}")

    def kill(self) -> None:
        """End every process of the host at once, as a power cut does."""
        if self.running():
            run([*self._runc(), "kill", self.name, "KILL"], check=False)
        for _ in range(200):
            if not self.running():
                break
            time.sleep(0.02)
        run([*self._runc(), "delete", "--force", self.name], check=False)

    def running(self) -> bool:
        state = run([*self._runc(), "state", self.name], check=False)
        return bool(state) and json.loads(state)["status"] == "running"

    def exec(self, *command: str, stdin: str | None = None, check: bool = True) -> str:
        """Run a program in the host and return what it printed; its output also goes to the host's log."""
        log = self.logs / f"{self.name}.log"
        return run([*self._runc(), "exec", self.name, *command], log=log, stdin=stdin, check=check)

    def wait(self, *command: str, seconds: float, what: str) -> None:
        """Repeat a program in the host until it succeeds.

        Raises:
            LabError: it did not within `seconds`.
        """
        deadline = time.monotonic() + seconds
        while subprocess.run([*self._runc(), "exec", self.name, *command], capture_output=True).returncode:
            if time.monotonic() > deadline:
                raise LabError(f"{self.name}: {what} not within {seconds:.0f} s; logs are in {self.logs}")
            time.sleep(0.2)

    def _runc(self) -> list[str]:
        return ["runc", "--root", str(self.world / "runc")]

    def _config(self) -> dict[str, Any]:
        names = ("pid", "ipc", "uts", "mount", "cgroup")
        return {
            "ociVersion": "1.0.2",
            "hostname": self.name,
            "root": {"path": str(self.root)},
            "process": {
                "args": ["/bin/sh", "/usr/local/sbin/boot"],
                "cwd": "/",
                "user": {"uid": 0, "gid": 0},
                "env": [
                    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                    "container=oci",
                    "LANG=C.UTF-8",
                ],
                "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), _capabilities()),
            },
            "mounts": [*_SYSTEM_MOUNTS, *(_bind(mount) for mount in self.mounts)],
            "linux": {
                "namespaces": [
                    *({"type": name} for name in names),
                    {"type": "network", "path": f"/run/netns/{self.name}"},
                ],
                "cgroupsPath": f"/hosts/{self.name}",
                "resources": {"devices": [{"allow": True, "access": "rwm"}]},
                # kubelet's out-of-memory watcher reads the kernel's log.
                "devices": [{"path": "/dev/kmsg", "type": "c", "major": 1, "minor": 11, "fileMode": 0o600}],
                "seccomp": {
                    "defaultAction": "SCMP_ACT_ALLOW",
                    "syscalls": [{"names": MACHINE_WIDE_CALLS, "action": "SCMP_ACT_ERRNO", "errnoRet": 1}],
                },
            },
        }


def _capabilities() -> list[str]:
    status = Path("/proc/self/status").read_text()
    bounding = int(next(line for line in status.splitlines() if line.startswith("CapBnd")).split()[1], 16)
    return [f"CAP_{name}" for bit, name in enumerate(CAPABILITIES) if bounding >> bit & 1 and name not in WITHHELD]


def _bind(mount: Mount) -> dict[str, Any]:
    options = ["rbind", "ro" if mount.read_only else "rw", "rshared" if mount.shared else "rprivate"]
    return {"destination": mount.target, "type": "bind", "source": str(mount.source), "options": options}


def _tmpfs(target: str, *options: str) -> dict[str, Any]:
    return {"destination": target, "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", *options]}


_SYSTEM_MOUNTS: tuple[dict[str, Any], ...] = (
    {"destination": "/proc", "type": "proc", "source": "proc"},
    _tmpfs("/dev", "strictatime", "mode=755", "size=65536k"),
    {
        "destination": "/dev/pts",
        "type": "devpts",
        "source": "devpts",
        "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    },
    _tmpfs("/dev/shm", "noexec", "nodev", "mode=1777"),
    {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]},
    # Read-only, or systemd would wait for udev to announce each interface.
    {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
    {
        "destination": "/sys/fs/cgroup",
        "type": "cgroup",
        "source": "cgroup",
        "options": ["nosuid", "noexec", "nodev", "relatime", "rw"],
    },
    _tmpfs("/run", "nodev", "mode=755"),
    _tmpfs("/run/lock", "nodev", "noexec", "mode=1777"),
    _tmpfs("/tmp", "nodev", "mode=1777"),
)


def network_file(name: str) -> Path:
    """The mount that keeps a host's network namespace alive."""
    return Path("/run/netns") / name


def exists(name: str) -> bool:
    """Whether a host's network namespace is there, which is so exactly while the host has power."""
    return os.path.ismount(network_file(name))
