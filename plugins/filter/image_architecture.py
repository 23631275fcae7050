# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter homelab.lantern.image_architecture: which image a node needs."""

from __future__ import annotations

from typing import Any, Callable, Mapping

DOCUMENTATION = r"""
name: image_architecture
author: Lantern contributors
version_added: 0.1.0
short_description: Which image a node needs
description:
  - The architecture as container images name it. The node's programs decide, not its kernel, as a Raspberry Pi with a
    32-bit system may run a 64-bit kernel.
  - Empty for a node that no image is built for, such as a Raspberry Pi 1 or Zero (ARMv6).
positional: _input
options:
  _input:
    description: The facts C(architecture) and C(userspace_bits) of a host, which C(gather_subset=platform) brings.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Which image this node needs
  ansible.builtin.debug:
    msg: "{{ {'architecture': 'aarch64', 'userspace_bits': '64'} | homelab.lantern.image_architecture }}"
"""

RETURN = r"""
_value:
  description: V(amd64), V(arm64), V(arm) (32 bits, ARMv7 or later; Debian calls it armhf), or empty.
  type: str
  sample: arm64
"""

BY_KERNEL_AND_BITS = {
    ("x86_64", "64"): "amd64",
    ("amd64", "64"): "amd64",
    ("aarch64", "64"): "arm64",
    ("arm64", "64"): "arm64",
    # A 32-bit system below a 64-bit kernel; armv8l is what such a kernel calls itself to 32-bit programs.
    ("aarch64", "32"): "arm",
    ("armv8l", "32"): "arm",
    ("armv7l", "32"): "arm",
}


def image_architecture(facts: Mapping[str, Any]) -> str:
    """See DOCUMENTATION."""
    bits = facts.get("userspace_bits") or "64"
    return BY_KERNEL_AND_BITS.get((str(facts.get("architecture", "")), str(bits)), "")


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name and function of each filter."""
        return {"image_architecture": image_architecture}
