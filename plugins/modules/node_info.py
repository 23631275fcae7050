#!/usr/bin/python
# Copyright (c) 2026, Lantern contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: node_info
short_description: Tell what a Kubernetes node is and what it lacks
version_added: 0.1.0
author:
  - Lantern contributors (@homelab-lantern)
description:
  - Looks at what decides whether a node can serve LoadBalancer Services, such as its interfaces in the LAN, the memory
    cgroup, iptables' backend, firewall, clock, and swap.
  - Judges what it sees, and advises kernel settings that only some nodes need.
options:
  lans:
    description:
      - The home's networks, in CIDR notation. Interfaces with an address in one of them are in the LAN.
      - Without any, that is the interface of the default route.
    type: list
    elements: str
    default: []
  ipv6:
    description: Whether Services have IPv6 addresses.
    type: bool
    default: false
attributes:
  check_mode:
    description: Only reads.
    support: full
  diff_mode:
    description: Nothing is changed.
    support: none
  idempotent:
    description: Nothing is changed.
    support: full
"""

EXAMPLES = r"""
---
- name: Look at the node
  homelab.lantern.node_info:
    lans:
      - 192.168.2.0/24
  become: true
  register: node
"""

RETURN = r"""
node:
  description: What was seen.
  returned: success
  type: dict
  contains:
    system:
      description: The operating system's C(name), the C(machine), and whether that is a C(raspberry_pi).
      type: dict
    boot_id:
      description: Changes with each boot.
      type: str
    kubernetes:
      description:
        - C(distribution), C(version), whether it is C(running), kube-proxy's mode as C(proxy_mode), whether kubelet
          does not start beside swap as C(swap_refused), and the path of an administrator's C(kubeconfig).
      type: dict
    boot_arguments:
      description: The words in that file.
      type: list
      elements: str
    memory_cgroup:
      description: Whether the kernel limits memory by cgroup.
      type: bool
    boot_command_line:
      description: The file with the kernel's command line that a Raspberry Pi's firmware reads, else empty.
      type: str
    netfilter:
      description:
        - The C(version) and C(backend) of iptables, its C(alternatives), and the cluster's C(chains) by backend.
      type: dict
    firewall:
      description: Which firewall is in charge, as C(manager).
      type: dict
    links:
      description: Each interface with C(name), C(kind), C(driver), C(master), C(promiscuous), C(addresses), and C(lan).
      type: list
      elements: dict
    clock:
      description: Whether it is C(synchronized), and by which C(service).
      type: dict
    swap:
      description: What is used as swap.
      type: list
      elements: str
    network_manager:
      description: Whether NetworkManager is there.
      type: bool
    cloud_init:
      description: Whether cloud-init runs at boot.
      type: bool
lacks:
  description: What is wrong, each with C(subject), C(text) and C(remedy).
  returned: success
  type: list
  elements: dict
iptables:
  description: Which C(backend) the cluster needs, V(keep) for that which is there, and the C(reason).
  returned: success
  type: dict
sysctls:
  description: Kernel settings that this node needs, in the order in which they have to be set.
  returned: success
  type: dict
sysctl_reasons:
  description: Why, by name.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.homelab.lantern.plugins.module_utils._node import advice, findings, host, netfilter, survey


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "lans": {"type": "list", "elements": "str", "default": []},
            "ipv6": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    seen = survey.collect(host.of(module), module.params["lans"])
    advised = advice.settings(seen, module.params["ipv6"])
    module.exit_json(
        changed=False,
        node=seen,
        lacks=[one._asdict() for one in findings.findings(seen)],
        iptables=netfilter.decide(seen["netfilter"], seen["kubernetes"])._asdict(),
        sysctls={one.name: one.value for one in advised},
        sysctl_reasons={one.name: one.reason for one in advised},
    )


if __name__ == "__main__":
    main()
