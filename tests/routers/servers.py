# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real DHCP servers on the router of a test LAN, each laid out as its users have it.

Each hands out 192.168.2.100 to 192.168.2.200 before anything is reserved.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apis
from lan import Host, eventually

FIRST, LAST = "192.168.2.100", "192.168.2.200"

# The place of the service manager: ends the process named in a file, runs the command anew.
_SERVICE = """#!/bin/sh
# service NAME restart
p=$(cat /run/server.pid 2>/dev/null) && kill "$p" 2>/dev/null && while kill -0 "$p" 2>/dev/null; do sleep 0.05; done
[ -e /run/broken ] && {{ cat /run/broken >&2; exit 1; }}
{command} </dev/null >>/run/server.log 2>&1 &
echo $! >/run/server.pid
"""


@dataclass
class Server:
    """A kind of router: its files, how its server is started, and the module that reserves on it."""

    files: dict[str, str]
    command: str
    module: str
    options: dict[str, Any] = field(default_factory=dict)
    needs: str = ""

    @property
    def missing(self) -> str:
        return "" if shutil.which(self.needs, path="/usr/sbin:/sbin:/usr/bin:/bin:/lib/systemd") else self.needs

    def start(self, router: Host) -> None:
        for path, text in self.files.items():
            router.write(path, text)
        router.run("mkdir", "-p", "/run/kea", "/var/lib/kea", "/var/lib/dhcp", "/var/lib/misc", "/etc/dnsmasq.d")
        router.run("touch", "/var/lib/dhcp/dhcpd.leases")
        router.script("service", _SERVICE.format(command=self.command))
        router.run("service", "server", "restart")
        eventually(lambda: ":67 " in router.run("busybox", "netstat", "-lnu").stdout)

    def reserve(self, router: Host, *, check: bool = False, **options: Any) -> dict[str, Any]:
        return router.module(self.module, check=check, **{"timeout": 8, **self.options, **options})

    def texts(self, router: Host) -> dict[str, str]:
        return {path: router.read(path) for path in self.files}


_DNSMASQ = "dnsmasq --keep-in-foreground --conf-file=/etc/dnsmasq.conf --user=root --pid-file"

_KEA = """{ // Kea
  "Dhcp4": {
    "interfaces-config": { "interfaces": [ "eth0" ] },
    "lease-database": { "type": "memfile", "lfc-interval": 3600 },
    "valid-lifetime": 4000,
    "subnet4": [
      {
        "subnet": "192.168.2.0/24",
        "pools": [ { "pool": "192.168.2.100 - 192.168.2.200" } ], # everybody
        "option-data": [ { "name": "routers", "data": "192.168.2.1" } ]
      }
    ]
  }
}
"""

SERVERS = {
    "dnsmasq": Server(
        {
            "/etc/dnsmasq.conf": "port=0\ninterface=eth0\nno-ping\nconf-dir=/etc/dnsmasq.d/,*.conf\n",
            "/etc/dnsmasq.d/lan.conf": f"dhcp-range={FIRST},{LAST},255.255.255.0,12h  # everybody\n",
        },
        _DNSMASQ,
        "dnsmasq_reservation",
        needs="dnsmasq",
    ),
    # Pi-hole's program is dnsmasq within another one; here a link of that name stands for it.
    "pihole5": Server(
        {
            "/etc/dnsmasq.conf": "conf-dir=/etc/dnsmasq.d\n",
            "/etc/dnsmasq.d/01-pihole.conf": "port=0\ninterface=eth0\nno-ping\n",
            "/etc/dnsmasq.d/02-pihole-dhcp.conf": f"dhcp-authoritative\ndhcp-range={FIRST},{LAST},24h\n"
            "dhcp-option=option:router,192.168.2.1\ndhcp-leasefile=/etc/pihole/dhcp.leases\n",
            "/etc/dnsmasq.d/04-pihole-static-dhcp.conf": "dhcp-host=02:00:00:00:00:09,192.168.2.9,printer\n",
            "/etc/pihole/setupVars.conf": f"DHCP_ACTIVE=true\nDHCP_START={FIRST}\nDHCP_END={LAST}\n",
        },
        "/run/pihole-FTL --keep-in-foreground --user=root --pid-file",
        "dnsmasq_reservation",
        {"layout": "pihole5", "service": "pihole-FTL"},
        needs="dnsmasq",
    ),
    "kea": Server(
        {"/etc/kea/kea-dhcp4.conf": _KEA},
        "kea-dhcp4 -c /etc/kea/kea-dhcp4.conf",
        "dhcp_reservation",
        {"server": "kea"},
        needs="kea-dhcp4",
    ),
    "isc_dhcpd": Server(
        {
            "/etc/dhcp/dhcpd.conf": 'authoritative;\nping-check false;\ninclude "/etc/dhcp/lan.conf";\n',
            "/etc/dhcp/lan.conf": "subnet 192.168.2.0 netmask 255.255.255.0 {\n"
            f"  option routers 192.168.2.1; range {FIRST} {LAST}; # everybody\n}}\n",
        },
        "dhcpd -4 -f -q -cf /etc/dhcp/dhcpd.conf eth0",
        "dhcp_reservation",
        {"server": "isc_dhcpd"},
        needs="dhcpd",
    ),
    "networkd": Server(
        {
            "/etc/systemd/network/lan.network": "[Match]\nName=eth0\n[Network]\nAddress=192.168.2.1/24\n"
            "DHCPServer=yes\nLinkLocalAddressing=no\n[DHCPServer]\nPoolOffset=100\nPoolSize=101\n"
        },
        "/lib/systemd/systemd-networkd",
        "dhcp_reservation",
        {"server": "networkd"},
        needs="systemd-networkd",
    ),
}

# OpenWrt makes its server's settings out of these: openwrt_standin.py.
OPENWRT = {
    "/etc/config/dhcp": """\
config dnsmasq
\toption domain 'lan'
\toption leasefile '/var/lib/misc/dhcp.leases'

config dhcp 'lan'
\toption interface 'lan'
\toption start '100'
\toption limit '101'
\toption leasetime '12h'
\tlist dhcp_option '6,192.168.2.1'
\toption dhcpv6 'server'

config dhcp 'wan'
\toption interface 'wan'
\toption ignore '1'
""",
    "/etc/config/network": """\
config interface 'lan'
\toption proto 'static'
\toption ipaddr '192.168.2.1'
\toption netmask '255.255.255.0'
""",
}

# Kea with its control agent.
_SOCKET = '{ "socket-type": "unix", "socket-name": "/run/kea/kea4.sock" }'
KEA_API = {
    "/etc/kea/kea-dhcp4.conf": _KEA.replace('"lease-database"', f'"control-socket": {_SOCKET},\n    "lease-database"'),
    "/etc/kea/kea-ctrl-agent.conf": f"""{{
  "Control-agent": {{
    "http-host": "192.168.2.1",
    "http-port": 8000,
    "control-sockets": {{ "dhcp4": {_SOCKET} }}
  }}
}}
""",
}


def files(kind: str) -> dict[str, str]:
    """Those of a router of any type that `lantern_router` may have."""
    if kind in apis.KINDS:
        return {**SERVERS["dnsmasq"].files, str(apis.RANGES): apis.ranges(apis.KINDS[kind]())}
    return {"openwrt": OPENWRT, "kea_api": KEA_API}.get(kind) or SERVERS[kind].files


def serve(host: Host, ranges: list[str], *options: str) -> None:
    """The real dnsmasq at eth0 of a host, with no more than these ranges."""
    lines = ["port=0", "interface=eth0", *options, *(f"dhcp-range={item},255.255.255.0,12h" for item in ranges)]
    serve_file(host, lines, ":67 ")


def serve_file(host: Host, lines: list[str], port: str) -> None:
    """dnsmasq with this configuration, waited for until it listens to `port`, "" to wait for none."""
    host.run("mkdir", "-p", "/var/lib/misc")
    host.write("/etc/dnsmasq.conf", "\n".join(lines) + "\n")
    host.start("dnsmasq", "--keep-in-foreground", "--conf-file=/etc/dnsmasq.conf", "--user=root", log="dnsmasq.log")
    if port:
        eventually(lambda: port in host.run("busybox", "netstat", "-lnu").stdout)


def prepare(kind: str, router: Host) -> None:
    """What a server needs on its host besides its files."""
    if kind == "pihole5":
        router.run("ln", "-s", str(shutil.which("dnsmasq", path="/usr/sbin:/usr/bin")), "/run/pihole-FTL")
        router.script("pihole-FTL", Path(__file__).with_name("pihole5_standin.sh").read_text())
    if kind == "networkd":
        router.run("mkdir", "-p", "/run/dbus", "/run/systemd/netif/links", "/run/systemd/netif/lldp")
        router.run("chown", "-R", "systemd-network:systemd-network", "/run/systemd/netif")
        router.run("dbus-daemon", "--system", "--fork")
        router.link("address", "flush", "dev", "eth0")
