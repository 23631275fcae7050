#!/usr/bin/python
# Copyright (c) 2026, Lantern contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
---
module: loadbalancer_services_info
short_description: Tell what Services of type LoadBalancer have and what they wait for
version_added: 0.1.0
description:
  - Reads all Services of type LoadBalancer, the state of Lantern in the cluster, and which nodes can announce
    addresses.
  - Services with a C(loadBalancerClass) belong to another implementation and are left out.
author:
  - Lantern contributors (@homelab-lantern)
extends_documentation_fragment:
  - homelab.lantern.cluster
attributes:
  check_mode:
    description: Only reads.
    support: full
  diff_mode:
    description: Nothing is changed.
    support: none
options:
  namespace:
    description: Namespace that Lantern runs in.
    type: str
    default: metallb-system
  timeout:
    description: Seconds to wait for Services that have no address or no ready pod yet; the answer is given in any case.
    type: int
    default: 0
"""

EXAMPLES = r"""
---
- name: What do the Services wait for?
  homelab.lantern.loadbalancer_services_info:
    kubeconfig: ~/.kube/config
  register: services
  delegate_to: localhost
"""

RETURN = r"""
services:
  description: Each Service of type LoadBalancer.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Namespace and name.
      type: str
      sample: default/web
    addresses:
      description: Its addresses; none while it is pending.
      type: list
      elements: str
    ports:
      description: Its ports, each with C(port), C(protocol) and C(name).
      type: list
      elements: dict
    endpoints:
      description: How many pods behind it take traffic.
      type: int
    local:
      description: Whether only nodes with such a pod may announce it (externalTrafficPolicy Local).
      type: bool
    waiting:
      description: Why it has no address yet, and what to do. Empty if it has one.
      type: str
nodes:
  description: Each node's C(name) and C(addresses) in the LAN.
  returned: always
  type: list
  elements: dict
obstacle:
  description: Why no node can announce any address, and what to do. Empty if one can.
  returned: always
  type: str
controller:
  description: State of the controller's Deployment.
  returned: always
  type: dict
  contains:
    ready:
      description: Whether it is ready.
      type: bool
    text:
      description: How far it is.
      type: str
      sample: controller 1 of 1 ready
speaker:
  description: State of the speaker's DaemonSet, as RV(controller).
  returned: always
  type: dict
pools:
  description: Each IPAddressPool's C(name) and C(addresses).
  returned: always
  type: list
  elements: dict
"""

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.homelab.lantern.plugins.module_utils._cluster import eligibility, rollout, services
from ansible_collections.homelab.lantern.plugins.module_utils._cluster.connection import (
    MUTUALLY_EXCLUSIVE,
    argument_spec,
    connect,
)
from ansible_collections.homelab.lantern.plugins.module_utils._cluster.errors import ClusterError

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.homelab.lantern.plugins.module_utils._cluster.api import Cluster

POLL_SECONDS = 1.0
SPEAKER_SELECTOR = "app=metallb,component=speaker"


def workload(cluster: Cluster, namespace: str, kind: str, name: str) -> dict[str, t.Any]:
    found = cluster.get("apps/v1", kind, name, namespace)
    state = rollout.state(kind, name, found)
    text = f"{name} is not there" if found is None else rollout.progress([state], {})
    return {"ready": state.ready, "text": text}


def read(cluster: Cluster, namespace: str) -> dict[str, t.Any]:
    """What exit_json gets."""
    nodes = cluster.list("v1", "Node")
    speakers = cluster.list("v1", "Pod", namespace, label_selector=SPEAKER_SELECTOR)
    controller = workload(cluster, namespace, "Deployment", "controller")
    pools = cluster.list("metallb.io/v1beta1", "IPAddressPool", namespace)
    slices = cluster.list("discovery.k8s.io/v1", "EndpointSlice")
    found = [s for s in cluster.list("v1", "Service") if services.is_loadbalancer(s)]
    events = cluster.list("v1", "Event", field_selector="involvedObject.kind=Service") if found else []
    told = []
    for service in found:
        if service["spec"].get("loadBalancerClass"):
            continue
        one = services.view(service, slices)
        waiting = "" if one["addresses"] else services.waiting_reason(service, events, controller["ready"], len(pools))
        told.append(dict(one, waiting=waiting))
    return {
        "changed": False,
        "services": sorted(told, key=lambda one: one["name"]),
        "nodes": [{"name": n.name, "addresses": n.addresses} for n in map(eligibility.facts, nodes)],
        "obstacle": eligibility.obstacle(
            nodes, {(pod.get("spec") or {}).get("nodeName", "") for pod in speakers if rollout.is_ready(pod)}
        ),
        "controller": controller,
        "speaker": workload(cluster, namespace, "DaemonSet", "speaker"),
        "pools": [{"name": p["metadata"]["name"], "addresses": p["spec"].get("addresses") or []} for p in pools],
    }


def wait(cluster: Cluster, namespace: str, seconds: float) -> dict[str, t.Any]:
    """read(), again and again until every Service is served or the time is over."""
    deadline = time.monotonic() + seconds
    while True:
        seen = read(cluster, namespace)
        if services.settled(seen["services"]) or time.monotonic() >= deadline:
            return seen
        time.sleep(POLL_SECONDS)


def main() -> None:
    module = AnsibleModule(
        argument_spec=argument_spec(
            namespace={"type": "str", "default": "metallb-system"},
            timeout={"type": "int", "default": 0},
        ),
        mutually_exclusive=MUTUALLY_EXCLUSIVE,
        supports_check_mode=True,
    )
    try:
        result = wait(connect(module), module.params["namespace"], module.params["timeout"])
    except ClusterError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)


if __name__ == "__main__":
    main()
