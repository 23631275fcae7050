# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter homelab.lantern.host_addresses: under which address each host of the inventory is found on the LAN."""

from __future__ import annotations

import ipaddress
from typing import Any, Callable, Mapping, Sequence

DOCUMENTATION = r"""
name: host_addresses
author: Lantern contributors
version_added: 0.1.0
short_description: Addresses of inventory hosts
description:
  - Takes C(ansible_host) of each host if that is an IP address, else the host's inventory name if that is one, else the
    default IPv4 address from its facts, else an empty string.
  - Or all that are known, with that one first.
positional: _input, hostvars
options:
  _input:
    description: Names of inventory hosts.
    type: list
    elements: str
    required: true
  hostvars:
    description: Ansible's variable C(hostvars).
    type: dict
    required: true
  every:
    description:
      - Whether to give a list for each host. Behind the address above are those of its variable C(lantern_addresses)
        and the default IPv4 and IPv6 addresses from its facts.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Addresses of all nodes
  ansible.builtin.debug:
    msg: "{{ groups['nodes'] | homelab.lantern.host_addresses(hostvars) }}"
"""

RETURN = r"""
_value:
  description: Name and address of each host, or the list of its addresses.
  type: dict
  sample: {node1: 192.168.2.11, node2: 192.168.2.12}
"""


def _is_address(text: Any) -> bool:
    try:
        ipaddress.ip_address(str(text))
    except ValueError:
        return False
    return True


def _address(name: str, variables: Mapping[str, Any]) -> str:
    for candidate in (variables.get("ansible_host"), name):
        if candidate and _is_address(candidate):
            return str(candidate)
    facts = variables.get("ansible_facts") or {}
    return str((facts.get("default_ipv4") or {}).get("address") or "")


def _every(name: str, variables: Mapping[str, Any]) -> list[str]:
    given = variables.get("lantern_addresses") or []
    facts = variables.get("ansible_facts") or {}
    # Not all that its interfaces have: some load balancers give a node the addresses of Services.
    own = [(facts.get(key) or {}).get("address") for key in ("default_ipv4", "default_ipv6")]
    found = [_address(name, variables), *(given if isinstance(given, list) else [given]), *own]
    return list(dict.fromkeys(str(text) for text in found if text))


def host_addresses(
    names: Sequence[str], hostvars: Mapping[str, Mapping[str, Any]], every: bool = False
) -> dict[str, Any]:
    """See DOCUMENTATION."""
    read = _every if every else _address
    return {str(name): read(str(name), hostvars[name]) for name in names}


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name and function of each filter."""
        return {"host_addresses": host_addresses}
