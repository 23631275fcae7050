#!/usr/bin/env python3
# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""In the place of OpenWrt's uci and /etc/init.d/dnsmasq on a test host: uci files in, the real dnsmasq started.

Does with sections `dhcp`, `host` and `domain` what OpenWrt's own init script does with them, no more.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from ipaddress import IPv4Interface
from pathlib import Path

CONFIG, PID = Path("/var/etc/dnsmasq.conf.cfg01411c"), Path("/run/dnsmasq.pid")


def read(path: Path) -> list[dict[str, list[str]]]:
    """Sections as {option: values}, with ".type" and ".name"; ends the program where uci would."""
    found: list[dict[str, list[str]]] = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            sys.exit(f"uci: Parse error ({error}) at line {number}")
        if not words:
            continue
        if words[0] == "config" and len(words) in (2, 3):
            found.append({".type": [words[1]], ".name": words[2:] or [f"@{len(found)}"]})
        elif words[0] in ("option", "list") and len(words) == 3 and found:
            found[-1].setdefault(words[1], []).append(words[2])
        else:
            sys.exit(f"uci: Parse error (invalid command) at line {number}")
    return found


def dnsmasq_lines() -> list[str]:
    networks = {section[".name"][0]: section for section in read(Path("/etc/config/network"))}
    lines = ["no-ping", "interface=eth0", "no-resolv", "no-hosts", "addn-hosts=/var/etc/hosts", "expand-hosts"]
    hosts = []
    for section in read(Path("/etc/config/dhcp")):
        kind = section[".type"][0]

        def get(name: str, default: str = "", section: dict[str, list[str]] = section) -> str:
            return section.get(name, [default])[0]

        if kind == "dnsmasq":
            lines += [f"dhcp-leasefile={get('leasefile', '/tmp/dhcp.leases')}"]
        elif kind == "domain":
            hosts.append(f"{get('ip')} {get('name')}")
        elif kind == "host":
            lines.append(f"dhcp-host={get('mac')},{get('ip')},{get('name')}")
        elif kind == "dhcp" and get("ignore") != "1" and get("dhcpv4") != "disabled":
            network = networks[get("interface")]
            lan = IPv4Interface(f"{network['ipaddr'][0]}/{network['netmask'][0]}").network
            first = lan.network_address + int(get("start", "100"))
            last = min(first + int(get("limit", "150")) - 1, lan.broadcast_address - 1)
            tag = get("interface")
            lines.append(f"dhcp-range=set:{tag},{first},{last},{lan.netmask},{get('leasetime', '12h')}")
            lines += [f"dhcp-option={tag},{option}" for option in section.get("dhcp_option", [])]
    Path("/var/etc").mkdir(exist_ok=True)
    Path("/var/etc/hosts").write_text("\n".join(hosts) + "\n")
    return lines


def restart() -> None:
    if PID.exists():
        pid = int(PID.read_text())
        try:
            while True:
                os.kill(pid, signal.SIGTERM)
                time.sleep(0.05)
        except ProcessLookupError:
            pass
    if Path("/run/broken").exists():
        sys.exit(Path("/run/broken").read_text())
    text = "\n".join(dnsmasq_lines()) + "\n"
    CONFIG.write_text(text)
    subprocess.run(["dnsmasq", f"--conf-file={CONFIG}", "--user=root", f"--pid-file={PID}"], check=True)


if os.path.basename(sys.argv[0]) == "uci":
    if sys.argv[1] == "-c":
        read(Path(sys.argv[2]) / sys.argv[4])
    elif Path("/run/uncommitted").exists():
        print(Path("/run/uncommitted").read_text())
else:
    restart()
