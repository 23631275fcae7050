# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that is looked at on a node, as one plain dictionary. PRIVATE to the homelab.lantern collection."""

from __future__ import annotations

import ctypes
import re
import typing as t

from . import command_line, filtering, links, netfilter
from .host import Host

# Where kubeadm, k3s and RKE2 keep the administrator's kubeconfig.
KUBECONFIGS = ("/etc/kubernetes/admin.conf", "/etc/rancher/k3s/k3s.yaml", "/etc/rancher/rke2/rke2.yaml")
# kube-proxy's own answer about its mode (its option metricsBindAddress has this default).
PROXY_MODE = "http://127.0.0.1:10249/proxyMode"
MODELS = ("/proc/device-tree/model", "/sys/firmware/devicetree/base/model", "/sys/class/dmi/id/product_name")
BOOT_ID = "/proc/sys/kernel/random/boot_id"
CLOCK_SERVICES = ("chronyd", "ntpd", "ntpsec", "openntpd", "systemd-timesyn")
# adjtimex(2): the kernel's clock is not synchronized.
STA_UNSYNC = 0x0040
KUBELET_SETTINGS = "/var/lib/kubelet/config.yaml"


def collect(host: Host, lans: t.Sequence[str]) -> dict[str, t.Any]:
    """The survey of a host; `lans` are the home's networks in CIDR notation."""
    running = processes(host)
    return {
        "system": system(host),
        "boot_id": host.text(BOOT_ID).strip(),
        "kubernetes": kubernetes(host, running),
        "memory_cgroup": memory_cgroup(host),
        "boot_command_line": command_line.find(host),
        "boot_arguments": host.text(command_line.find(host)).split(),
        "netfilter": netfilter.survey(host),
        "firewall": filtering.survey(host, running),
        "links": links.survey(host, lans),
        "clock": {"synchronized": synchronized(), "service": next((n for n in CLOCK_SERVICES if n in running), "")},
        "swap": [line.split()[0] for line in host.text("/proc/swaps").splitlines()[1:] if line.strip()],
        "network_manager": "NetworkManager" in running or host.exists("/usr/sbin/NetworkManager"),
        "cloud_init": host.exists("/etc/cloud/cloud.cfg") and not host.exists("/etc/cloud/cloud-init.disabled"),
        "accept_ra": accept_ra(host),
    }


def processes(host: Host) -> set[str]:
    """Names of running programs, cut to 15 characters as the kernel does."""
    return {host.text(f"/proc/{pid}/comm").strip() for pid in host.names("/proc") if pid.isdigit()} - {""}


def system(host: Host) -> dict[str, t.Any]:
    """name of the operating system, machine (a model's name, "" where unknown), raspberry_pi."""
    release = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', host.text("/etc/os-release"), re.MULTILINE))
    machine = next((text.strip() for text in map(host.text, MODELS) if text.strip()), "")
    return {
        "name": release.get("PRETTY_NAME") or release.get("ID", ""),
        "machine": machine,
        "raspberry_pi": machine.startswith("Raspberry Pi"),
    }


def kubernetes(host: Host, running: t.Collection[str]) -> dict[str, t.Any]:
    """distribution (kubeadm, k3s, rke2, ""), version, running, proxy_mode, swap_refused, kubeconfig."""
    distribution = next((name for name in ("k3s", "rke2") if host.exists(f"/var/lib/rancher/{name}")), "")
    program = distribution or "kubelet"
    version = re.search(r"v\d+\.\d+\.\d+\S*", host.run(program, "--version").text)
    if version and not distribution:
        distribution = "kubeadm"
    alive = any(name.startswith(("kubelet", "k3s-", "k3s", "rke2")) for name in running)
    mode = host.fetch(PROXY_MODE).strip() if alive else ""
    tolerant = re.search(r"^failSwapOn:\s*false", host.text(KUBELET_SETTINGS), re.MULTILINE)
    return {
        "distribution": distribution,
        "version": version[0] if version else "",
        "running": alive,
        "proxy_mode": mode if mode in ("iptables", "ipvs", "nftables") else "",
        # k3s and RKE2 start their kubelet so that it tolerates swap.
        "swap_refused": distribution == "kubeadm" and not tolerant,
        "kubeconfig": next((path for path in KUBECONFIGS if host.exists(path)), ""),
    }


def memory_cgroup(host: Host) -> bool:
    """Whether the kernel limits memory by cgroup; without that no kubelet starts."""
    if "memory" in host.text("/sys/fs/cgroup/cgroup.controllers").split():
        return True
    rows = [line.split() for line in host.text("/proc/cgroups").splitlines()]
    return any(row[0] == "memory" and row[3:4] == ["1"] for row in rows if row)


def accept_ra(host: Host) -> dict[str, str]:
    """How the kernel treats router advertisements, by interface (ip-sysctl, accept_ra)."""
    folder = "/proc/sys/net/ipv6/conf"
    return {name: host.text(f"{folder}/{name}/accept_ra").strip() for name in host.names(folder)}


def synchronized() -> bool | None:
    """What the kernel knows of its clock, whichever program keeps it; None if it does not tell."""

    class Timex(ctypes.Structure):
        # struct timex of include/uapi/linux/timex.h; only the status is of interest, the rest is room.
        _fields_ = [
            ("modes", ctypes.c_uint),
            ("offset", ctypes.c_long),
            ("freq", ctypes.c_long),
            ("maxerror", ctypes.c_long),
            ("esterror", ctypes.c_long),
            ("status", ctypes.c_int),
            ("room", ctypes.c_byte * 256),
        ]

    state = Timex()
    try:
        if ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(state)) < 0:
            return None
    except (AttributeError, OSError):
        return None
    return not state.status & STA_UNSYNC
