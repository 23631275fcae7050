# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter homelab.lantern.lan_picture: the LAN as the verify stage saw it, as SVG."""

from __future__ import annotations

from typing import Any, Callable, Mapping

from ansible_collections.homelab.lantern.plugins.module_utils._picture import home

DOCUMENTATION = r"""
name: lan_picture
author: Lantern contributors
version_added: 0.1.0
short_description: Draw the LAN as the verify stage saw it
description:
  - Shows router, nodes, the host that tried, and at which node each Service's address answers; in red what is broken.
positional: _input
options:
  _input:
    description: What P(homelab.lantern.verify_summary#filter) gives.
    type: dict
    required: true
  lan:
    description: The LAN in CIDR notation, or what else to call it.
    type: str
    default: ''
  router:
    description: The router's address.
    type: str
    default: ''
"""

EXAMPLES = r"""
- name: Draw what was seen
  ansible.builtin.copy:
    content: "{{ summary | homelab.lantern.lan_picture(lan='192.168.2.0/24') }}"
    dest: home.svg
    mode: "0644"
"""

RETURN = r"""
_value:
  description: The picture, as the text of an SVG file that needs nothing else.
  type: str
"""


def lan_picture(summary: Mapping[str, Any], lan: str = "", router: str = "") -> str:
    """See DOCUMENTATION."""
    return home.picture(summary, str(lan or ""), str(router or ""))


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name and function of each filter."""
        return {"lan_picture": lan_picture}
