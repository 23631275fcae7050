# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options that all modules for DHCP servers have (see module_utils/_routers/request.py)."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragments homelab.lantern.reservation and homelab.lantern.reservation.names."""

    DOCUMENTATION = r"""
options:
  state:
    description:
      - V(present) keeps O(ranges) free; V(absent) restores what was there before.
    type: str
    choices: [present, absent]
    default: present
  ranges:
    description:
      - The addresses to keep free, as CIDRs or C(first-last). IPv6 ranges are ignored.
      - Required if O(state=present). Ranges reserved earlier and not in this list are given back.
    type: list
    elements: str
    default: []
  network:
    description:
      - The LAN in CIDR notation. At least one address in it must stay free to be handed out.
    type: str
  active_leases:
    description:
      - What to do when a host holds a lease in O(ranges).
      - V(refuse) changes nothing and lists these hosts. V(ignore) reserves anyway; the hosts get another address when
        they renew.
    type: str
    choices: [refuse, ignore]
    default: refuse
attributes:
  check_mode:
    description: Can run in check mode; refusals happen there too.
    support: full
  idempotent:
    description: A second run changes nothing.
    support: full
"""

    NAMES = r"""
options:
  names:
    description:
      - Host names that the DNS on the router is to answer.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The name.
        type: str
        required: true
      addresses:
        description: Its addresses, at most one of each family.
        type: list
        elements: str
        required: true
"""
