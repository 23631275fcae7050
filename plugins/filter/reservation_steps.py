# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter homelab.lantern.reservation_steps: what to do on a router that only has a web page."""

from __future__ import annotations

from typing import Any, Callable, Sequence

from ansible.errors import AnsibleFilterError
from ansible_collections.homelab.lantern.plugins.module_utils._routers import manual

DOCUMENTATION = r"""
name: reservation_steps
author: Lantern contributors
version_added: 0.1.0
short_description: What to do on a router that only has a web page
description:
  - The steps that keep its DHCP server out of the pools, with the numbers of this LAN.
positional: _input
options:
  _input:
    description: The addresses to keep free, as CIDRs or C(first-last).
    type: list
    elements: str
    required: true
  lan:
    description: The LAN in CIDR notation.
    type: str
    required: true
  router:
    description: The router's address, empty if it is not known.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Show the steps
  ansible.builtin.debug:
    msg: "{{ ['192.168.2.128/25'] | homelab.lantern.reservation_steps(lan='192.168.2.0/24', router='192.168.2.1') }}"
"""

RETURN = r"""
_value:
  description: One step in each text.
  type: list
  elements: str
"""


def reservation_steps(pools: Sequence[str], lan: str, router: str = "") -> list[str]:
    """See DOCUMENTATION."""
    try:
        return manual.steps(list(pools), str(lan), str(router or ""))
    except ValueError as error:
        raise AnsibleFilterError(f"homelab.lantern.reservation_steps: {error}") from error


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name and function of each filter."""
        return {"reservation_steps": reservation_steps}
