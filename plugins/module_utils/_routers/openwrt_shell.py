# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is run on an OpenWrt router, which has a shell and no Python. PRIVATE to the homelab.lantern collection, pure.

Each function gives a script for busybox's shell, or reads what one printed.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from ansible_collections.homelab.lantern.plugins.module_utils._routers.openwrt import (
    DHCP,
    LEASE_FILE,
    NETWORK,
    sections,
)

_MARK = "=== LANTERN"
BACKUP = "/etc/lantern/dhcp"
"""The untouched file while there is a reservation; /etc is kept over reboots."""

_SCRATCH = "/tmp/lantern-reserve"


@dataclass(frozen=True)
class Seen:
    """The router as it is: its files, its leases, changes that wait for `uci commit`, whether dnsmasq is up to date."""

    files: dict[str, str]
    leases: str
    uncommitted: str
    up_to_date: bool
    backup: str | None


def lease_file(dhcp: str) -> str:
    """Where dnsmasq keeps its leases."""
    found = [section.get("leasefile") for section in sections(dhcp) if section.kind == "dnsmasq"]
    return next(filter(None, found), LEASE_FILE)


def look(leases: str = LEASE_FILE) -> str:
    """Prints all that `seen` reads."""
    paths = " ".join(map(shlex.quote, (DHCP, NETWORK, leases, BACKUP)))
    return (
        f"for f in {paths}; do echo '{_MARK} '$f; [ -f $f ] && cat $f; printf '\\n'; done; "
        f"echo '{_MARK} changes'; uci changes dhcp; printf '\\n'; "
        # The init script writes dnsmasq's own configuration whenever it starts it.
        f"echo '{_MARK} state'; pidof dnsmasq >/dev/null && for f in /var/etc/dnsmasq.conf.*; do "
        f"[ -f $f ] && [ ! {DHCP} -nt $f ] && echo up-to-date; done; printf '\\n'; echo '{_MARK} exists'; "
        f"for f in {paths}; do [ -f $f ] && echo $f; done; printf '\\n'; echo '{_MARK} end'"
    )


def seen(printed: str, leases: str = LEASE_FILE) -> Seen:
    """What `look` printed. Raises ValueError when that is not all there."""
    if f"{_MARK} end\r\n" in printed:  # by way of a terminal
        printed = printed.replace("\r\n", "\n")
    parts: dict[str, str] = {}
    for piece in printed.split(f"{_MARK} ")[1:]:
        name, _newline, text = piece.partition("\n")
        parts[name.strip()] = text[:-1] if text.endswith("\n") else text
    if "end" not in parts or NETWORK not in parts:
        raise ValueError(printed.strip() or "(nothing)")
    there = parts["exists"].split()
    return Seen(
        files={path: parts[path] for path in (DHCP, NETWORK) if path in there},
        leases=parts.get(leases, ""),
        uncommitted=parts["changes"].strip(),
        up_to_date="up-to-date" in parts["state"],
        backup=parts[BACKUP] if BACKUP in there else None,
    )


def test(dhcp: str) -> str:
    """Has uci read a candidate; nothing of the router's own is touched."""
    return (
        f"rm -rf {_SCRATCH}; mkdir -p {_SCRATCH} && printf %s {shlex.quote(dhcp)} >{_SCRATCH}/dhcp && "
        f"uci -c {_SCRATCH} show dhcp >/dev/null; s=$?; rm -rf {_SCRATCH}; exit $s"
    )


def write(dhcp: str, backup: str | None) -> str:
    """Puts the file in place in one step; `backup`: the untouched text to keep, None to keep what there is."""
    keep = f"mkdir -p {BACKUP.rpartition('/')[0]} && printf %s {shlex.quote(backup)} >{BACKUP} && " if backup else ""
    new = f"{DHCP}.lantern"
    # Copied first for its owner and mode.
    return f"{keep}cp -p {DHCP} {new} && printf %s {shlex.quote(dhcp)} >{new} && mv {new} {DHCP}"


def drop_backup() -> str:
    """Removes the copy of the untouched file."""
    return f"rm -f {BACKUP}; rmdir {BACKUP.rpartition('/')[0]} 2>/dev/null; true"


def restart(odhcpd: bool, seconds: int) -> str:
    """Starts the server anew and waits until it listens for DHCP (port 67 is 0x43)."""
    service = "odhcpd" if odhcpd else "dnsmasq"
    also = "/etc/init.d/dnsmasq restart; " if odhcpd else ""
    return (
        f"{also}/etc/init.d/{service} restart || exit 1; i=0; "
        f"while [ $i -lt {int(seconds)} ]; do pidof {service} >/dev/null && grep -q ':0043 ' /proc/net/udp && exit 0; "
        "sleep 1; i=$((i+1)); done; exit 1"
    )


def log() -> str:
    """The servers' last messages."""
    return "logread 2>/dev/null | grep -E 'dnsmasq|odhcpd' | tail -n 15"


def odhcpd_serves(dhcp: str) -> bool:
    """Whether odhcpd is the DHCP server instead of dnsmasq."""
    return any(section.kind == "odhcpd" and section.get("maindhcp") == "1" for section in sections(dhcp))
