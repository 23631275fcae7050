# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter homelab.lantern.package_target: which packages fit a host."""

from __future__ import annotations

from typing import Any, Callable, Mapping

DOCUMENTATION = r"""
name: package_target
author: Lantern contributors
version_added: 0.1.0
short_description: Which packages fit a host
description:
  - Takes a host's facts and tells for which distribution, release and processor packages have to be made to fit it.
positional: _input
options:
  _input:
    description: The host's facts, C(ansible_facts).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: What kind of packages this host takes
  ansible.builtin.debug:
    msg: "{{ ansible_facts | homelab.lantern.package_target }}"
"""

RETURN = r"""
_value:
  description: Family, distribution, release and architecture; empty when the facts are missing or of another family.
  type: dict
  sample: {family: Debian, distribution: debian, release: bookworm, architecture: arm64}
"""

DEBIAN_ARCHITECTURES = {
    "aarch64": "arm64",
    "armv6l": "armhf",
    "armv7l": "armhf",
    "armv8l": "armhf",
    "i686": "i386",
    "ppc64le": "ppc64el",
    "x86_64": "amd64",
}
"""What the kernel calls a processor, and what Debian calls it where that differs. dnf uses the kernel's words."""


def package_target(facts: Mapping[str, Any]) -> dict[str, str]:
    """See DOCUMENTATION."""
    family = facts.get("os_family")
    if family not in ("Debian", "RedHat"):
        return {}
    # An arm64 kernel may run a 32-bit userland, as Raspberry Pi OS does; the interpreter tells.
    machine = facts.get("userspace_architecture") or facts["architecture"]
    if machine == "aarch64" and facts.get("userspace_bits") == "32":
        machine = "armv7l"
    return {
        "family": family,
        "distribution": facts["distribution"].lower(),
        "release": facts["distribution_release"] if family == "Debian" else facts["distribution_major_version"],
        "architecture": DEBIAN_ARCHITECTURES.get(machine, machine) if family == "Debian" else machine,
    }


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name and function of each filter."""
        return {"package_target": package_target}
