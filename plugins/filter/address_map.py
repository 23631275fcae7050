# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter homelab.lantern.address_map: draw who has which addresses of the LAN with letters."""

from __future__ import annotations

from typing import Any, Callable, Mapping

from ansible_collections.homelab.lantern.plugins.module_utils._picture.address_map import lines

DOCUMENTATION = r"""
name: address_map
author: Lantern contributors
version_added: 0.1.0
short_description: Draw who has which addresses of the LAN with letters
description:
  - Every address is a letter; in a LAN of more than 512 addresses a letter stands for several, and shows the most
    important one.
  - An IPv6 LAN has a list instead, a line for everybody who is in it. Several LANs are one below the other.
positional: _input
options:
  _input:
    description: What P(homelab.lantern.address_plan#filter) gives, also with problems.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the plan
  ansible.builtin.debug:
    msg: "{{ plan_result | homelab.lantern.address_map }}"
"""

RETURN = r"""
_value:
  description: The lines of the map of each LAN, the last one its legend. Empty for a plan without LAN.
  type: list
  elements: str
"""


def address_map(plan: Mapping[str, Any]) -> list[str]:
    """See DOCUMENTATION."""
    return lines(plan)


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name and function of each filter."""
        return {"address_map": address_map}
