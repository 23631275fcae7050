# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all kinds of hosts have in common: the form of their settings, and eth0 by DHCP. Pure text."""

from __future__ import annotations

import dataclasses

from .topology import Host

DOMAIN = "home.arpa"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """Files by path and the systemd units a host starts beyond those of the root file system."""

    files: dict[str, str]
    units: tuple[str, ...] = ()


def dhcp(host: Host, *, ipv6: bool, forward: bool = False) -> str:
    """eth0's settings: IPv4 by DHCP, IPv6 from router advertisements.

    The address stays when the cable is pulled, as on servers that use ifupdown.
    """
    network = "DHCP=ipv4\nLinkLocalAddressing=no\nIPv6AcceptRA=no\nIgnoreCarrierLoss=yes\n"
    advertised = ""
    if ipv6:
        network = "DHCP=ipv4\nLinkLocalAddressing=ipv6\nIPv6AcceptRA=yes\nIgnoreCarrierLoss=yes\n"
        network += "IPForward=yes\n" if forward else ""
        token = f"Token=static:{host.host_part}\n" if host.host_part else ""
        advertised = f"\n[IPv6AcceptRA]\nDHCPv6Client=no\nUseDNS=no\n{token}"
    return f"[Match]\nName=eth0\n\n[Network]\n{network}\n[DHCPv4]\nClientIdentifier=mac\nUseDNS=no\n{advertised}"
