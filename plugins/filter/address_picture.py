# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter homelab.lantern.address_picture: draw who has which addresses of the LAN."""

from __future__ import annotations

from typing import Any, Callable, Mapping

from ansible_collections.homelab.lantern.plugins.module_utils._picture.address_space import picture

DOCUMENTATION = r"""
name: address_picture
author: Lantern contributors
version_added: 0.1.0
short_description: Draw who has which addresses of the LAN
description:
  - Shows router, nodes and other hosts, what the DHCP server hands out today and then, the pools, pinned addresses,
    conflicts, and below them what is wrong.
  - Each LAN has a ruler of its own. That of an IPv6 LAN is not to scale.
positional: _input
options:
  _input:
    description: What P(homelab.lantern.address_plan#filter) gives, also with problems.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Draw the plan
  ansible.builtin.copy:
    content: "{{ plan_result | homelab.lantern.address_picture }}"
    dest: plan.svg
    mode: "0644"
"""

RETURN = r"""
_value:
  description: The picture, as the text of an SVG file that needs nothing else.
  type: str
"""


def address_picture(plan: Mapping[str, Any]) -> str:
    """See DOCUMENTATION."""
    return picture(plan)


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name and function of each filter."""
        return {"address_picture": address_picture}
