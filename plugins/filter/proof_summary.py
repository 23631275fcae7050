# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filter homelab.lantern.proof_summary: what DHCP servers hand out, over all LANs that were asked in."""

from __future__ import annotations

from typing import Any, Callable, Mapping, Sequence

from ansible_collections.homelab.lantern.plugins.module_utils._wire import proof

DOCUMENTATION = r"""
name: proof_summary
author: Lantern contributors
version_added: 0.1.0
short_description: Put together what was proven in each LAN
description:
  - Joins results of M(homelab.lantern.reservation_proof) of several LANs, or from several hosts, into one.
  - Of a LAN that several hosts asked in, the first result counts. Where none could ask, the verdict is V(unknown).
positional: _input
options:
  _input:
    description:
      - Results of a loop with M(homelab.lantern.reservation_proof). Each C(item) has C(network), the LAN, and C(host),
        the name of the host that asked there.
    type: list
    elements: dict
    required: true
"""

EXAMPLES = r"""
- name: See what was proven in all LANs
  ansible.builtin.debug:
    msg: "{{ (proofs.results | homelab.lantern.proof_summary).verdict }}"
"""

RETURN = r"""
_value:
  description:
    - As M(homelab.lantern.reservation_proof) returns, the lists of all LANs one behind the other, the numbers added up.
    - With several LANs, problems and warnings begin with the LAN that they are about.
  type: dict
  contains:
    verdict:
      description: V(failed) if it is that in any LAN, else V(unknown) if it is that in any, else V(proven).
      type: str
    lans:
      description: The C(verdict) in each LAN (C(network)), and the C(host) that asked there, empty if none could.
      type: list
      elements: dict
      sample: [{network: 192.168.2.0/24, host: desktop, verdict: proven}]
"""


def proof_summary(tries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """See DOCUMENTATION."""
    return proof.summary(tries)


class FilterModule:
    """Ansible filters."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Name and function of each filter."""
        return {"proof_summary": proof_summary}
