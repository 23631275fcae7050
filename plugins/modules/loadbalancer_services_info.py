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
  - Services with another C(loadBalancerClass) than O(lb_class) belong to another implementation and are left out.
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
  lb_class:
    description: The C(loadBalancerClass) that Lantern serves. If empty, Services without one.
    type: str
    default: ''
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
      description: Its ports, each with C(port), C(protocol), C(name) and C(node_port) (0 if it has none).
      type: list
      elements: dict
    endpoints:
      description: How many pods behind it take traffic.
      type: int
    endpoints_starting:
      description: How many pods behind it do not take traffic, as they are not ready.
      type: int
    endpoint_nodes:
      description: The nodes with a pod that takes traffic.
      type: list
      elements: str
    selector:
      description: The labels by which it finds its pods.
      type: str
      sample: app=web
    pool:
      description: The IPAddressPool that its addresses are from.
      type: str
    owners:
      description: The nodes that announce it, by address, as speakers' metrics, ServiceL2Status objects or Events say.
      type: dict
      sample: {192.168.2.130: [node2]}
    warning:
      description: The newest Warning event about it.
      type: str
    local:
      description: Whether only nodes with such a pod may announce it (externalTrafficPolicy Local).
      type: bool
    waiting:
      description: Why it has no address yet, and what to do. Empty if it has one.
      type: str
nodes:
  description: The nodes of the cluster.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    addresses:
      description: Its addresses in the LAN.
      type: list
      elements: str
    ready:
      description: Whether Kubernetes takes it for Ready, with its network.
      type: bool
    excluded:
      description: Whether it is labelled so that it may not announce addresses, and the speakers heed that.
      type: bool
    selected:
      description: Whether an L2Advertisement lets it announce.
      type: bool
    speaker:
      description: Whether its speaker is ready.
      type: bool
    speaker_silent:
      description: Whether its speaker does not tell what it announces.
      type: bool
    proxy:
      description: Whether its kube-proxy is ready; null where kube-proxy does not run as pods.
      type: bool
stale:
  description: Why the configuration in the cluster is not in force, and what to do. Empty if it is.
  returned: always
  type: str
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
  description:
    - Each IPAddressPool's C(name), C(addresses), and how it is C(advertised), V(layer2), V(bgp) or both.
    - C(unannounced) tells that the inventory wants nothing to announce it.
  returned: always
  type: list
  elements: dict
"""

import time
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.homelab.lantern.plugins.module_utils._cluster import (
    announcing,
    eligibility,
    rollout,
    services,
)
from ansible_collections.homelab.lantern.plugins.module_utils._cluster.connection import (
    MUTUALLY_EXCLUSIVE,
    argument_spec,
    connect,
    finish,
)

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible_collections.homelab.lantern.plugins.module_utils._cluster.api import Cluster

POLL_SECONDS = 1.0
SPEAKER_SELECTOR = "app=metallb,component=speaker"
PROXY_SELECTOR = "k8s-app=kube-proxy"


def workload(cluster: Cluster, namespace: str, kind: str, name: str) -> dict[str, t.Any]:
    found = cluster.get("apps/v1", kind, name, namespace)
    state = rollout.state(kind, name, found)
    text = f"{name} is not there" if found is None else rollout.progress([state], {})
    return {"ready": state.ready, "text": text}


def stale(state: dict[str, t.Any] | None) -> str:
    """What the controller says of a configuration that it does not take; "" while it takes it."""
    status = (state or {}).get("status") or {}
    return status.get("errorSummary", "") if status.get("result") == "Invalid" else ""


def running_on(pods: list[dict[str, t.Any]]) -> set[str]:
    """The nodes with a ready one of these pods."""
    return {(pod.get("spec") or {}).get("nodeName", "") for pod in pods if rollout.is_ready(pod)}


def describe_nodes(
    nodes: list[dict[str, t.Any]], selected: list[str], speakers: set[str], silent: set[str], proxies: set[str] | None
) -> list[dict[str, t.Any]]:
    """What the probe has to know of each node; `proxies` is None where kube-proxy does not run as pods."""
    return [
        {
            "name": node.name,
            "addresses": node.addresses,
            "ready": node.ready and node.networked,
            "excluded": node.excluded,
            "selected": node.name in selected,
            "speaker": node.name in speakers,
            "speaker_silent": node.name in silent,
            "proxy": None if proxies is None else node.name in proxies,
        }
        for node in map(eligibility.facts, nodes)
    ]


def read(cluster: Cluster, namespace: str, lb_class: str) -> dict[str, t.Any]:
    """What exit_json gets."""
    speakers = cluster.list("v1", "Pod", namespace, label_selector=SPEAKER_SELECTOR)
    nodes = eligibility.as_seen_by(speakers, cluster.list("v1", "Node"))
    proxies = cluster.list("v1", "Pod", "kube-system", label_selector=PROXY_SELECTOR)
    controller = workload(cluster, namespace, "Deployment", "controller")
    pools = cluster.list("metallb.io/v1beta1", "IPAddressPool", namespace)
    adverts = {
        "layer2": cluster.list("metallb.io/v1beta1", "L2Advertisement", namespace),
        "bgp": cluster.list("metallb.io/v1beta1", "BGPAdvertisement", namespace),
    }
    slices = services.grouped(cluster.list("discovery.k8s.io/v1", "EndpointSlice"), services.of_slice)
    found = [s for s in cluster.list("v1", "Service") if services.is_loadbalancer(s)]
    found = [s for s in found if (s["spec"].get("loadBalancerClass") or "") == lb_class]
    events = cluster.list("v1", "Event", field_selector="involvedObject.kind=Service") if found else []
    events_of = services.grouped(events, services.of_event)
    owners, silent = announcing.from_metrics(cluster, namespace, speakers) if found else ({}, set())
    statuses = cluster.list("metallb.io/v1beta1", "ServiceL2Status") if silent else []
    statuses_of = services.grouped(statuses, announcing.of_status)
    told = []
    for service in found:
        key, about = services.identity(service), events_of.get(service["metadata"]["uid"], [])
        one = services.view(service, slices.get(key, []))
        named = announcing.from_statuses(statuses_of.get(key, [])) or announcing.from_events(about)
        # Where a speaker does not say what it announces, the last one that was known to announce may be that one.
        lost = [node for node in named if node in silent]
        one["owners"] = {address: owners.get(address) or lost for address in one["addresses"]}
        one["warning"] = services.newest_warning(about)
        why = services.waiting_reason(one["warning"], controller["ready"], len(pools))
        told.append(dict(one, waiting="" if one["addresses"] else why))
    ready = running_on(speakers)
    return {
        "changed": False,
        "services": sorted(told, key=lambda one: one["name"]),
        "nodes": describe_nodes(
            nodes,
            announcing.announcing_nodes(nodes, adverts["layer2"]),
            ready,
            silent,
            running_on(proxies) if proxies else None,
        ),
        "stale": stale(cluster.get("metallb.io/v1beta1", "ConfigurationState", "controller", namespace)),
        "obstacle": eligibility.obstacle(nodes, ready),
        "controller": controller,
        "speaker": workload(cluster, namespace, "DaemonSet", "speaker"),
        "pools": [
            {
                "name": pool["metadata"]["name"],
                "addresses": pool["spec"].get("addresses") or [],
                "advertised": [how for how, listed in adverts.items() if announcing.advertised(pool, listed)],
                "unannounced": announcing.is_unannounced(pool),
            }
            for pool in pools
        ],
    }


def wait(cluster: Cluster, options: dict[str, t.Any]) -> dict[str, t.Any]:
    """read(), again and again until every Service is served or the time is over."""
    deadline = time.monotonic() + options["timeout"]
    while True:
        seen = read(cluster, options["namespace"], options["lb_class"])
        if services.settled(seen["services"]) or time.monotonic() >= deadline:
            return seen
        time.sleep(POLL_SECONDS)


def main() -> None:
    module = AnsibleModule(
        argument_spec=argument_spec(
            namespace={"type": "str", "default": "metallb-system"},
            lb_class={"type": "str", "default": ""},
            timeout={"type": "int", "default": 0},
        ),
        mutually_exclusive=MUTUALLY_EXCLUSIVE,
        supports_check_mode=True,
    )
    finish(module, lambda: wait(connect(module), module.params))


if __name__ == "__main__":
    main()
