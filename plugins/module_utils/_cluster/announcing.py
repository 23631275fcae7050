# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who announces which address, as the cluster says. PRIVATE to the homelab.lantern collection.

Three witnesses, the most direct one first: the speakers' own metric, the ServiceL2Status objects, and the Events on the
Service. The last ones are kept by Kubernetes for an hour only.
"""

from __future__ import annotations

import re
import threading
import typing as t

from . import services

if t.TYPE_CHECKING:  # pragma: no cover
    from .api import Cluster

Found = t.Dict[str, t.Any]
Owners = t.Dict[str, t.List[str]]

ANNOUNCED = re.compile(r"^metallb_speaker_announced\{([^}]*)\} 1(?:\.0)?$", re.MULTILINE)
LABEL = re.compile(r'(\w+)="([^"]*)"')
ASSIGNED = re.compile(r'announcing from node "([^"]+)"')
METRICS_PORT = 17472
ANNOUNCE_ANNOTATION = "lantern.homelab/announce"
ASK_SECONDS = 3.0


def matches(selector: Found, labels: t.Mapping[str, str]) -> bool:
    """A Kubernetes LabelSelector (matchLabels and matchExpressions, all of which must hold)."""
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    for rule in selector.get("matchExpressions") or []:
        key, values = rule.get("key", ""), rule.get("values") or []
        holds = {
            "In": labels.get(key) in values,
            "NotIn": labels.get(key) not in values,
            "Exists": key in labels,
            "DoesNotExist": key not in labels,
        }
        if not holds.get(rule.get("operator", ""), False):
            return False
    return True


def advertised(pool: Found, advertisements: t.Sequence[Found]) -> bool:
    """Whether an advertisement takes this IPAddressPool: by name, by label, or because it names none."""
    metadata = pool["metadata"]
    for one in advertisements:
        spec = one.get("spec") or {}
        names, selectors = spec.get("ipAddressPools") or [], spec.get("ipAddressPoolSelectors") or []
        by_label = any(matches(selector, metadata.get("labels") or {}) for selector in selectors)
        if metadata["name"] in names or by_label or not (names or selectors):
            return True
    return False


def is_unannounced(pool: Found) -> bool:
    """Whether the inventory says that nothing is to announce this IPAddressPool."""
    return (pool["metadata"].get("annotations") or {}).get(ANNOUNCE_ANNOTATION) == "none"


def announcing_nodes(nodes: t.Sequence[Found], advertisements: t.Sequence[Found]) -> list[str]:
    """The nodes that at least one L2Advertisement lets announce; an advertisement without selectors takes all."""
    told = []
    for node in nodes:
        labels = node["metadata"].get("labels") or {}
        for one in advertisements:
            selectors = (one.get("spec") or {}).get("nodeSelectors") or []
            if not selectors or any(matches(selector, labels) for selector in selectors):
                told.append(node["metadata"]["name"])
                break
    return told


def claims(metrics: str) -> list[tuple[str, str]]:
    """(address, node) of each series that a speaker's metrics give as announced by layer 2."""
    found = []
    for series in ANNOUNCED.findall(metrics):
        labels = dict(LABEL.findall(series))
        if labels.get("protocol") == "layer2" and labels.get("ip") and labels.get("node"):
            found.append((labels["ip"], labels["node"]))
    return found


def _metrics_port(pod: Found) -> int:
    for container in (pod.get("spec") or {}).get("containers") or []:
        for port in container.get("ports") or []:
            if port.get("name") == "monitoring":
                return int(port["containerPort"])
    return METRICS_PORT


def from_metrics(cluster: Cluster, namespace: str, speakers: t.Sequence[Found]) -> tuple[Owners, set[str]]:
    """(the owners of each address, the nodes whose speaker did not answer)."""
    texts: dict[str, str] = {}

    def ask(pod: Found) -> None:
        name = pod["metadata"]["name"]
        texts[name] = cluster.ask_pod(namespace, name, _metrics_port(pod), "/metrics", ASK_SECONDS)

    threads = [threading.Thread(target=ask, args=(pod,), daemon=True) for pod in speakers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(ASK_SECONDS + 1)
    owners: Owners = {}
    silent = set()
    for pod in speakers:
        text = texts.get(pod["metadata"]["name"], "")
        if not text:
            silent.add((pod.get("spec") or {}).get("nodeName", ""))
        for address, node in claims(text):
            owners.setdefault(address, []).append(node)
    return {address: sorted(set(nodes)) for address, nodes in owners.items()}, silent


def of_status(one: Found) -> tuple[str, str]:
    """The identity of the Service that a ServiceL2Status is about."""
    status = one.get("status") or {}
    return status.get("serviceNamespace", ""), status.get("serviceName", "")


def from_statuses(statuses: t.Iterable[Found]) -> list[str]:
    """The nodes that a Service's ServiceL2Status objects name."""
    return sorted({one["status"]["node"] for one in statuses if (one.get("status") or {}).get("node")})


def from_events(events: t.Iterable[Found]) -> list[str]:
    """The node that the newest nodeAssigned among a Service's Events names."""
    found = services.newest(event for event in events if event.get("reason") == "nodeAssigned")
    named = ASSIGNED.search(str(found.get("message", ""))) if found is not None else None
    return [named[1]] if named else []
