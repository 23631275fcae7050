# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Root file systems made from Debian packages: those the hosts boot, and small ones for container images.

Raspbian is Debian with other marks on it, which `hosts` adds; `el` says what makes an EL host.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from . import el, paths
from .shell import logged, stage
from .topology import System

SUITE = "bookworm"
# What a small Debian server has, plus what a Kubernetes node, a router and a person with LAN tools need.
PACKAGES = (
    "systemd systemd-sysv dbus netbase procps kmod less sudo ca-certificates openssh-server "
    "python3 python3-apt python3-scapy "
    "iproute2 iputils-ping iputils-arping ethtool tcpdump curl bind9-dnsutils isc-dhcp-client dnsmasq "
    "iptables arptables ebtables nftables conntrack socat "
    "containerd runc containernetworking-plugins busybox-static docker-registry"
).split()
# The hosts decide at boot which of these they run; nothing may reach for the Internet by itself.
ADJUSTMENTS = (
    "useradd --create-home --shell /bin/bash homelab",
    "echo 'homelab ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/homelab",
    "systemctl disable dnsmasq containerd docker-registry apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer",
    "systemctl mask getty@tty1.service console-getty.service systemd-networkd-wait-online.service",
    "systemctl enable systemd-networkd ssh",
    "mkdir -p /opt/kubernetes /etc/containerd /etc/cni/net.d && rm -f /etc/resolv.conf",
)
# mmdebstrap mounts /proc and others into what it makes; in a mount and PID namespace of its own nothing of that
# can outlive it.
ALONE = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")


def host(system: System = "debian") -> Path:
    """The folder with the root file system of the hosts with an operating system, made when the cache has none."""
    packages, adjustments = PACKAGES, [*ADJUSTMENTS]
    if system == "el":
        packages = [*(package for package in PACKAGES if package not in el.NOT_PACKAGES), *el.PACKAGES]
        adjustments += el.ADJUSTMENTS
    key = hashlib.sha256(repr((SUITE, packages, adjustments)).encode()).hexdigest()[:12]
    folder = paths.cache() / f"rootfs-{key}"
    if not folder.is_dir():
        kind = "EL hosts'" if system == "el" else "hosts'"
        with stage(f"making the {kind} root file system from Debian packages"):
            hooks = [f"--customize-hook=chroot \"$1\" sh -c '{_quoted(line)}'" for line in adjustments]
            _debootstrap(folder, packages, "minbase", hooks)
    return folder


def extracted(folder: Path, packages: tuple[str, ...], architecture: str) -> None:
    """Unpack packages and what they depend on into `folder` without running anything of them.

    Nothing is configured, which is enough for programs in a container image and works for every architecture.
    """
    merged = ["--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr", "--architectures=" + architecture]
    _debootstrap(folder, packages, "extract", merged)


def _quoted(line: str) -> str:
    return line.replace("'", "'\\''")


def _debootstrap(folder: Path, packages: Sequence[str], variant: str, options: list[str]) -> None:
    partial = folder.with_name(folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    # mmdebstrap drops privileges for downloading; a mode-0700 folder on the way would stop it.
    partial.chmod(0o755)
    command = ["mmdebstrap", "--quiet", f"--variant={variant}", "--skip=check/empty", f"--include={','.join(packages)}"]
    logged(
        [*ALONE, *command, *options, SUITE, str(partial)],
        paths.cache() / "rootfs.log",
        env={"TMPDIR": "/var/tmp", "DEBIAN_FRONTEND": "noninteractive"},
    )
    os.rename(partial, folder)
