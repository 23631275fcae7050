# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter homelab.lantern.service_names: the host names of Services that have a pinned address."""

from __future__ import annotations

from typing import Any, Callable

from ansible_collections.homelab.lantern.plugins.module_utils._pins import read_pins

DOCUMENTATION = r"""
name: service_names
author: Lantern contributors
version_added: 0.1.0
short_description: The host names of Services that have a pinned address
description:
  - From C(lantern_pins) those that say C(host), the name that the Service is to have in the router's DNS.
positional: _input
options:
  _input:
    description: A dictionary from C(namespace/name) to an address, a list, or a dictionary with C(address) and C(host).
    type: raw
    required: true
"""

EXAMPLES = r"""
- name: Show the names
  ansible.builtin.debug:
    msg: "{{ {'default/web': {'address': '192.168.2.130', 'host': 'web.home'}} | homelab.lantern.service_names }}"
  # => [{"name": "web.home", "addresses": ["192.168.2.130"]}]
"""

RETURN = r"""
_value:
  description: C(name) and C(addresses) of each.
  type: list
  elements: dict
"""


def service_names(pins: Any) -> list[dict[str, Any]]:
    """See DOCUMENTATION. What is wrong with other pins is the plan's business."""
    found, _wrong = read_pins(pins)
    return [{"name": pin.host, "addresses": [str(item) for item in pin.addresses]} for pin in found if pin.host]


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name and function of each filter."""
        return {"service_names": service_names}
