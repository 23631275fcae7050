# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which other programs serve LoadBalancer Services in this cluster. PRIVATE to the homelab.lantern collection.

Two of them on one cluster overwrite each other's addresses in Service status and answer ARP for the same address, which
looks like a network fault. Each rule below reads evidence from a Snapshot and gives findings with a remedy.
"""

from __future__ import annotations

import json
import re
import typing as t

from .objects import is_ours

Found = t.Dict[str, t.Any]


class Snapshot(t.NamedTuple):
    """What the rules look at: objects as the API server sends them."""

    workloads: list[Found]  # Deployments and DaemonSets of all namespaces
    pods: list[Found]
    nodes: list[Found]
    cilium_pools: list[Found]
    cilium_policies: list[Found]


class Finding(t.NamedTuple):
    """One implementation found: `key` for deploy_allow_other_implementations, `evidence` where it was seen."""

    key: str
    title: str
    evidence: str
    remedy: str

    def sentence(self) -> str:
        return f"{self.title} already serves LoadBalancer Services here ({self.evidence}). {self.remedy}"


def image_name(image: str) -> str:
    """Repository without registry, tag and digest: `quay.io/metallb/speaker:v0.15.2@sha256:…` -> `metallb/speaker`."""
    path = image.split("@", 1)[0]
    head, _slash, rest = path.partition("/")
    if rest and ("." in head or ":" in head or head == "localhost"):
        path = rest
    return re.sub(r":[^/:]*$", "", path)


def containers(found: Found) -> list[Found]:
    """The containers of a pod, or of a workload's pod template."""
    spec = found.get("spec") or {}
    inner = (spec.get("template") or {}).get("spec") or spec
    return inner.get("containers") or []


def where(found: Found) -> str:
    """Kind namespace/name."""
    metadata = found["metadata"]
    return f"{found.get('kind') or 'Pod'} {metadata.get('namespace', '')}/{metadata['name']}"


def _running(found: list[Found], *patterns: str) -> list[Found]:
    """Those with a container whose image name matches one of the patterns."""
    return [
        one
        for one in found
        if any(re.search(pattern, image_name(c.get("image", ""))) for c in containers(one) for pattern in patterns)
    ]


METALLB_REMEDY = (
    "Delete its Deployment and its DaemonSet, as uninstalling it whole would take the pools along (README of role "
    "deploy, In MetalLB's place), then run this play again; nobody answers for the Services' addresses in between."
)


def metallb_workloads(workloads: list[Found]) -> list[Found]:
    """By its images, and those that bear its names but are not ours."""
    foreign = [w for w in workloads if not is_ours(w)]
    named = [
        w
        for w in foreign
        if w["metadata"].get("namespace") == "metallb-system" and w["metadata"]["name"] in ("controller", "speaker")
    ]
    running = _running(foreign, r"(^|/)metallb[/-](controller|speaker)$")
    return running + [w for w in named if w not in running]


def metallb(snapshot: Snapshot) -> list[Finding]:
    return _one(
        "metallb",
        "MetalLB",
        metallb_workloads(snapshot.workloads),
        "Lantern can take its place, pools and addresses included. If it was installed by its manifests, set "
        f"lantern_replace_metallb: true, and this play replaces it node by node. If not: {METALLB_REMEDY}",
    )


def kube_vip(snapshot: Snapshot) -> list[Finding]:
    """kube-vip with its Services function; one that only holds the control plane's address is welcome."""
    serving = []
    for one in _running(snapshot.workloads + snapshot.pods, r"(^|/)kube-vip(-iptables)?$"):
        for container in containers(one):
            env = {e.get("name"): str(e.get("value", "")) for e in container.get("env") or []}
            words = (container.get("command") or []) + (container.get("args") or [])
            if env.get("svc_enable", "").lower() == "true" or "--services" in words or "--services=true" in words:
                serving.append(one)
                break
    serving += _running(snapshot.workloads, r"(^|/)kube-vip-cloud-provider$")
    return _one(
        "kube-vip",
        "kube-vip",
        serving,
        "Set svc_enable to false (or drop --services) in its manifest and delete kube-vip-cloud-provider; "
        "kube-vip may go "
        "on holding the control plane's address.",
    )


def servicelb(snapshot: Snapshot) -> list[Finding]:
    """k3s' own: by its DaemonSets, and by k3s servers that run without it being switched off."""
    evidence = [
        where(w)
        for w in snapshot.workloads
        if w.get("kind", "DaemonSet") == "DaemonSet"
        and (w["metadata"]["name"].startswith("svclb-") or _running([w], r"(^|/)(mirrored-)?klipper-lb$"))
    ]
    for node in snapshot.nodes:
        arguments = _k3s_arguments(node)
        if arguments and arguments[0] == "server" and not _disables_servicelb(arguments):
            evidence.append(f"k3s server {node['metadata']['name']} runs with it switched on")
    if not evidence:
        return []
    return [
        Finding(
            "servicelb",
            "k3s ServiceLB",
            _shortened(evidence),
            "It gives Services the nodes' own addresses and opens their ports on every node. Set "
            "deploy_disable_servicelb: true, and Lantern has k3s do without it; or write `disable: [servicelb]` into "
            "/etc/rancher/k3s/config.yaml on every k3s server yourself and restart k3s, one server after the other. A "
            "server that is started with --disable on its command line heeds no file: add servicelb there.",
        )
    ]


def purelb(snapshot: Snapshot) -> list[Finding]:
    found = _running(snapshot.workloads, r"(^|/)purelb/(allocator|lbnodeagent)$")
    return _one("purelb", "PureLB", found, "Uninstall PureLB (namespace purelb) the way it was installed.")


def openelb(snapshot: Snapshot) -> list[Finding]:
    found = _running(snapshot.workloads, r"(^|/)(openelb|porter)(-(controller|manager|agent|speaker))?$")
    return _one("openelb", "OpenELB", found, "Uninstall OpenELB (namespace openelb-system) the way it was installed.")


def cilium(snapshot: Snapshot) -> list[Finding]:
    """Cilium as a network is welcome; its address pools and its ARP answering are not."""
    pools = [p for p in snapshot.cilium_pools if not (p.get("spec") or {}).get("disabled")]
    policies = [p for p in snapshot.cilium_policies if (p.get("spec") or {}).get("loadBalancerIPs")]
    if not pools and not policies:
        return []
    evidence = [f"CiliumLoadBalancerIPPool {p['metadata']['name']}" for p in pools]
    evidence += [f"CiliumL2AnnouncementPolicy {p['metadata']['name']}" for p in policies]
    return [
        Finding(
            "cilium",
            "Cilium LB-IPAM",
            _shortened(evidence),
            "Delete those objects (Cilium may stay as the network), or serve LoadBalancer Services by Cilium alone.",
        )
    ]


RULES: tuple[t.Callable[[Snapshot], list[Finding]], ...] = (metallb, kube_vip, servicelb, purelb, openelb, cilium)
KEYS = ("metallb", "kube-vip", "servicelb", "purelb", "openelb", "cilium")


def findings(snapshot: Snapshot) -> list[Finding]:
    """Everything found, in the order of RULES."""
    return [finding for rule in RULES for finding in rule(snapshot)]


def _one(key: str, title: str, found: list[Found], remedy: str) -> list[Finding]:
    if not found:
        return []
    return [Finding(key, title, _shortened(list(dict.fromkeys(where(one) for one in found))), remedy)]


def _shortened(evidence: list[str]) -> str:
    """The first three, so that a cluster with many Services does not fill the screen."""
    shown = ", ".join(evidence[:3])
    return shown if len(evidence) <= 3 else f"{shown} and {len(evidence) - 3} more"


def _k3s_arguments(node: Found) -> list[str]:
    """The arguments that k3s wrote into the node's annotation (its configuration file included), or []."""
    text = (node["metadata"].get("annotations") or {}).get("k3s.io/node-args")
    try:
        parsed = json.loads(text) if text else []
    except ValueError:
        return []
    return [str(word) for word in parsed] if isinstance(parsed, list) else []


def _disables_servicelb(arguments: list[str]) -> bool:
    if any(word in ("--disable-cloud-controller", "--disable-cloud-controller=true") for word in arguments):
        return True
    values = []
    for position, word in enumerate(arguments):
        if word == "--disable" and position + 1 < len(arguments):
            values.append(arguments[position + 1])
        elif word.startswith("--disable="):
            values.append(word.split("=", 1)[1])
    return any("servicelb" in value.split(",") for value in values)
