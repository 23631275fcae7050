# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""kube-proxy's strictARP, in the ConfigMap of a cluster made by kubeadm. PRIVATE to the homelab.lantern collection.

In ipvs mode kube-proxy puts the address of every Service onto every node, and all of them answer ARP for it. strictARP
(KubeProxyConfiguration v1alpha1, ipvs.strictARP) makes them silent, so that only the announcing speaker answers.
"""

from __future__ import annotations

import re
import typing as t

from .errors import ClusterError

try:
    import yaml
except ImportError:  # reported by connection.connect(), which every module calls first
    yaml = None

Found = t.Dict[str, t.Any]

NAMESPACE, NAME = "kube-system", "kube-proxy"
SETTINGS = "config.conf"
# On the ConfigMap: the value that was there before we changed it.
BEFORE = "homelab.lantern/strict-arp-before"
# On the pods' template: the value they run with. Changing it is what restarts them, one after the other.
STARTED_WITH = "homelab.lantern/strict-arp"


class Plan(t.NamedTuple):
    """`text` is the new settings, None leaves them; `before` is the annotation's new value, None takes it off."""

    reason: str
    mode: str
    text: str | None = None
    before: str | None = None
    restart: bool = False


def plan(config_map: Found | None, daemon_set: Found | None) -> Plan:
    """For strictARP switched on."""
    if config_map is None or SETTINGS not in (config_map.get("data") or {}):
        return Plan(
            f"there is no ConfigMap {NAMESPACE}/{NAME}: kube-proxy is part of another program here (k3s, RKE2, Cilium)",
            "",
        )
    text = config_map["data"][SETTINGS]
    mode, strict = read(text)
    if mode != "ipvs":
        return Plan(f"kube-proxy runs in {mode} mode, where no node has a Service's address", mode)
    annotations = config_map["metadata"].get("annotations") or {}
    if strict:
        # An earlier run may have been interrupted between the two changes.
        unfinished = BEFORE in annotations and started_with(daemon_set) != "true"
        return Plan("kube-proxy runs in ipvs mode, and it is on already", mode, restart=unfinished)
    return Plan("kube-proxy runs in ipvs mode", mode, text=edited(text, True), before=_word(strict), restart=True)


def undo(config_map: Found | None, daemon_set: Found | None) -> Plan:
    """For strictARP as it was before."""
    annotations = ((config_map or {}).get("metadata") or {}).get("annotations") or {}
    if config_map is None or BEFORE not in annotations:
        return Plan("nothing was changed here", "")
    text = config_map["data"][SETTINGS]
    mode, strict = read(text)
    wanted = annotations[BEFORE] == "true"
    restart = started_with(daemon_set) is not None
    return Plan("as it was before", mode, text=edited(text, wanted) if strict != wanted else text, restart=restart)


def read(text: str) -> tuple[str, bool]:
    """(mode, strictARP) of a KubeProxyConfiguration; on Linux no mode means iptables."""
    try:
        settings = yaml.safe_load(text)
        return settings.get("mode") or "iptables", bool((settings.get("ipvs") or {}).get("strictARP"))
    except (yaml.YAMLError, AttributeError):
        raise ClusterError(
            f"The ConfigMap {NAMESPACE}/{NAME} holds no valid KubeProxyConfiguration in {SETTINGS}: correct it with "
            f"kubectl -n {NAMESPACE} edit configmap {NAME}"
        ) from None


def edited(text: str, strict: bool) -> str:
    """The settings with strictARP as given. Only that line is touched where there is one; comments stay."""
    value = _word(strict)
    line = re.compile(r"^([ \t]+strictARP:[ \t]*)\S+", re.MULTILINE)
    candidates = [
        line.sub(rf"\g<1>{value}", text),
        re.sub(r"^ipvs:[ \t]*$", f"ipvs:\n  strictARP: {value}", text, flags=re.MULTILINE),
    ]
    wanted = yaml.safe_load(text)
    wanted["ipvs"] = dict(wanted.get("ipvs") or {}, strictARP=strict)
    for candidate in candidates:
        if _same(candidate, wanted):
            return candidate
    return yaml.safe_dump(wanted, default_flow_style=False)


def _same(text: str, wanted: Found) -> bool:
    try:
        return bool(yaml.safe_load(text) == wanted)
    except yaml.YAMLError:
        return False


def started_with(daemon_set: Found | None) -> str | None:
    """The annotation of the pods' template, None without it."""
    template = (((daemon_set or {}).get("spec") or {}).get("template") or {}).get("metadata") or {}
    return (template.get("annotations") or {}).get(STARTED_WITH)


def restart_patch(value: str | None) -> Found:
    return {"spec": {"template": {"metadata": {"annotations": {STARTED_WITH: value}}}}}


def _word(value: bool) -> str:
    return "true" if value else "false"
