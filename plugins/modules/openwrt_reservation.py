#!/usr/bin/python
# Copyright (c) 2026, Lantern contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: openwrt_reservation
short_description: Keep address ranges out of the reach of OpenWrt's DHCP server
version_added: 0.1.0
author:
  - Lantern contributors (@homelab-lantern)
description:
  - Shortens the range of every C(dhcp) section in C(/etc/config/dhcp) that holds an address to reserve; each further
    part gets a section of its own for the same interface. What was there before is kept in options of Lantern's own,
    which survive saving in the web interface, so that O(state=absent) brings it back.
  - Needs nothing on the router but its shell, no Python.
  - Host names in O(names) are written as sections C(domain).
  - Refuses when a host has a fixed address in the ranges, when a host holds a lease there (O(active_leases)), when no
    address would be left to hand out, and when settings wait to be saved by C(uci commit).
  - Has uci read the new file before it replaces the old one, restarts the server only when something changed, waits
    until it serves again, and puts the former file back when it does not.
  - Where odhcpd is the DHCP server (C(maindhcp)) only the largest part of a range is kept, with a warning.
extends_documentation_fragment:
  - homelab.lantern.reservation
  - homelab.lantern.reservation.names
options:
  timeout:
    description:
      - How many seconds the DHCP server has to serve again after a restart.
    type: int
    default: 20
attributes:
  diff_mode:
    description: Shows the changed file.
    support: full
notes:
  - It is an action plugin; what it decides it decides on the machine that runs Ansible.
seealso:
  - module: homelab.lantern.dnsmasq_reservation
  - module: homelab.lantern.reservation_proof
"""

EXAMPLES = r"""
---
- name: Keep the upper half of the LAN for LoadBalancer Services
  homelab.lantern.openwrt_reservation:
    ranges:
      - 192.168.2.128/25
    network: 192.168.2.0/24

- name: Give everything back
  homelab.lantern.openwrt_reservation:
    state: absent
"""

RETURN = r"""
files:
  description: The files that were changed.
  returned: success
  type: list
  elements: str
  sample: [/etc/config/dhcp]
handed_out:
  description: The ranges that clients get addresses from.
  returned: success
  type: list
  elements: str
  sample: [192.168.2.2-192.168.2.127]
active_leases:
  description: Leases inside O(ranges).
  returned: success, and when they are the reason to refuse
  type: list
  elements: dict
  contains:
    address:
      description: The leased address.
      type: str
    mac:
      description: The client's MAC address.
      type: str
    name:
      description: The name that the client gave, may be empty.
      type: str
    expires:
      description: End of the lease in local time, or V(never).
      type: str
restarted:
  description: Whether the server was started anew.
  returned: success
  type: bool
"""
