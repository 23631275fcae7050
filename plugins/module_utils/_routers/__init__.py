# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routers whose DHCP server Lantern can keep out of the pools. PRIVATE to the homelab.lantern collection.

One pure module for each kind of server (the contract is in contract.py): it gets the server's configuration as texts
and returns the texts that are wanted. What touches a machine or the network lies beside them: service.py and
dnsmasq_daemon.py on the router, http_api.py towards an API. A new kind needs its entry here, a line in role reserve
(vars/main.yml), and a sample in the contract test.
"""

from __future__ import annotations

from ansible_collections.homelab.lantern.plugins.module_utils._routers import (
    dnsmasq,
    isc,
    kea,
    kea_api,
    networkd,
    openwrt,
    opnsense,
    pihole,
    pihole5,
    routeros,
)
from ansible_collections.homelab.lantern.plugins.module_utils._routers.contract import Driver

DRIVERS: dict[str, Driver] = {
    "dnsmasq": dnsmasq,
    "pihole5": pihole5,
    "openwrt": openwrt,
    "kea": kea,
    "kea_api": kea_api,
    "isc_dhcpd": isc,
    "networkd": networkd,
    "pihole": pihole,
    "routeros": routeros,
    "opnsense": opnsense,
}

BY_LOGIN = ("dnsmasq", "pihole5", "openwrt", "kea", "isc_dhcpd", "networkd")
"""Changed on the router itself, a host of the inventory group router."""

BY_API = ("kea_api", "pihole", "routeros", "opnsense")
"""Changed through an HTTP API from the machine that runs Ansible."""

ROUTER_TYPES = (*BY_LOGIN, *BY_API, "manual", "none")
"""The values of lantern_router.type."""
