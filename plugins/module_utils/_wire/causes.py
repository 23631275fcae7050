# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a hop is likely to be broken, and the command against it. PRIVATE to the homelab.lantern collection, pure.

Each function gives (likely causes, the likeliest first, and the command that repairs the first of them).
"""

from __future__ import annotations

import typing as t

from .facts import Checks, Facts, Node, Seen, Try

Told = t.Tuple[t.Tuple[str, ...], str]

EXCLUDE_LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"
KUBELET, PROXY_HEALTH = 10250, 10256
SPEAKER_LOG = "kubectl -n metallb-system logs daemonset/speaker --all-pods --tail=20"
RESTART_PROXY = "kubectl -n kube-system rollout restart daemonset/kube-proxy"


def why_not(facts: Facts, node: Node) -> str:
    """Why this node may not announce the address, "" if it may."""
    if node.excluded:
        return f"is labelled {EXCLUDE_LABEL}"
    if not node.ready:
        return "is not Ready"
    if not node.speaker:
        return "has no ready speaker"
    if not node.selected:
        return "is selected by no L2Advertisement"
    if facts.local and node.name not in facts.endpoint_nodes:
        return "has no ready pod of the Service (externalTrafficPolicy Local)"
    return ""


def of_no_owner(facts: Facts) -> Told:
    blocked = {node.name: why for node in facts.nodes if (why := why_not(facts, node))}
    if facts.nodes and len(blocked) == len(facts.nodes):
        each = f"No node may announce it: {'; '.join(f'{name} {why}' for name, why in blocked.items())}."
        told = (facts.obstacle, each) if facts.obstacle else (each,)
        return told, _against(facts.nodes, facts)
    if facts.obstacle:
        return (facts.obstacle,), SPEAKER_LOG
    if facts.endpoints == 0:
        return ("An address without a ready pod behind it is not announced.",), (
            f"kubectl -n {facts.namespace} describe service {facts.name}"
        )
    told = (facts.warning,) if facts.warning else ()
    return (*told, "The speakers have not decided yet, or their log tells why they do not."), SPEAKER_LOG


def _against(nodes: t.Sequence[Node], facts: Facts) -> str:
    """The command that lets one of the nodes announce."""
    labelled = [node for node in nodes if node.excluded]
    down = [node for node in nodes if not node.excluded and not node.ready]
    if down:
        return f"kubectl describe node {down[0].name}"
    if labelled:
        return f"kubectl label node {labelled[0].name} {EXCLUDE_LABEL}-"
    if any(not node.speaker for node in nodes):
        return "kubectl -n metallb-system get pods -o wide"
    if facts.local:
        return f"kubectl -n {facts.namespace} get pods -o wide"
    return "kubectl -n metallb-system get l2advertisements -o yaml"


def of_silence(facts: Facts, hop: str) -> Told:
    if facts.endpoints == 0 or not facts.owners:
        return of_no_owner(facts)
    name = facts.owners[0]
    return (
        f"The speaker on {name} does not answer: its log tells why.",
        f"Between {name} and this host something filters {hop}: a Wi-Fi access point, a managed switch, or a "
        "hypervisor that lets a machine use only its own addresses.",
        f"{name} is connected by Wi-Fi and drops broadcasts: stage prepare sets its interface to promiscuous mode.",
    ), f"kubectl -n metallb-system logs --field-selector spec.nodeName={name} -l component=speaker --tail=20"


def of_several(facts: Facts, seen: Seen, macs: t.Sequence[str]) -> Told:
    strangers = [mac for mac in macs if not seen.node_with(mac)]
    if strangers:
        return of_stranger(facts, strangers[0])
    return (
        "kube-proxy in mode ipvs without strictARP makes every node answer: stage prepare switches it on.",
        "Another load balancer in the cluster (kube-vip, ServiceLB, keepalived) has put the address on a node.",
        "The speakers do not hear each other: port 7946 (TCP and UDP) is closed between the nodes.",
    ), "ansible-playbook playbooks/site.yml --tags prepare"


def of_stranger(facts: Facts, mac: str) -> Told:
    return (
        f"Another device uses {facts.address}: it got it by DHCP, as the pool is not out of the router's range. Find "
        f"it by its MAC {mac} in the router's list of leases, give it another address, and run stage reserve.",
        "Somebody gave that device the address by hand: change it there.",
        "It is a node's further network card or virtual machine: then take it out of the LAN.",
    ), "ansible-playbook playbooks/site.yml --tags reserve"


def of_wrong_node(facts: Facts, node: str) -> Told:
    return (
        f"{node} has the address on a network card: left there by another load balancer or by hand, or by kube-proxy "
        "in mode ipvs without strictARP.",
        "The address moved to another node just now: look again.",
    ), f"ssh {facts.lan_address(node)} ip -brief address | grep -w {facts.address}"


def of_no_connection(facts: Facts, seen: Seen, one: Try) -> Told:
    """What an ICMP error, a reset or silence, and the owner's other ports tell."""
    name = facts.owners[0] if len(facts.owners) == 1 else ""
    if not name and len(seen.answers) == 1:
        name = seen.node_with(seen.answers[0].mac)
    owner = facts.node(name)
    number = one.port.port
    if facts.endpoints == 0:
        return of_no_owner(facts)
    if seen.route is not None and seen.route.gateway:
        told = _on_the_way(facts, seen, one)
        if told is not None:
            return told
    proxy_gone = owner is not None and owner.proxy is False
    if seen.checks is not None:
        proxy_gone = proxy_gone or ("refused" in seen.checks.proxy and not seen.checks.kubelet)
    if one.refusal is not None and one.refusal.kind == "prohibited":
        return _firewall(facts, name, number, f"The firewall of {one.refusal.sender} rejects it.")
    if proxy_gone:
        return (
            f"kube-proxy does not run on {name}, so nothing there leads the address to a pod.",
            f"It runs, but only on its own loopback address: then {name} does not know the Service yet.",
        ), RESTART_PROXY
    if "refused" in one.problem or (one.refusal is not None and one.refusal.kind == "port"):
        return (
            "Nothing listens there: the Service's targetPort is not the port of the container.",
            "kube-proxy has not heard of the pods yet.",
        ), f"kubectl -n {facts.namespace} describe service {facts.name}"
    if seen.checks is not None and _closed(seen.checks, name):
        return _firewall(facts, name, number, f"The firewall of {name} drops it: its other ports are silent, too.")
    if one.refusal is not None and one.refusal.kind in ("host", "net"):
        return (
            f"{one.refusal.sender} does not know what to do with the address: kube-proxy has set no rule for it.",
            "It cannot reach the pod: the pod network between the nodes is broken.",
        ), RESTART_PROXY
    return _firewall(
        facts,
        name,
        number,
        f"The firewall of {name or 'the node'} drops it.",
        f"kube-proxy on {name or 'the node'} has no rule for the Service: {RESTART_PROXY}",
        "The pod network between the nodes is broken.",
    )


def _on_the_way(facts: Facts, seen: Seen, one: Try) -> Told | None:
    """Seen from another LAN: whether the packet is lost before it comes to a node."""
    if seen.route is None:
        return None
    nodes = {address for node in facts.nodes for address in node.addresses}
    if not seen.gateway_macs:
        return (f"This host's gateway {seen.route.gateway} is not there.",), (
            f"sudo ip route replace default via ROUTER dev {seen.route.interface}"
        )
    if one.refusal is not None and one.refusal.sender not in nodes:
        word = "rejects it" if one.refusal.kind == "prohibited" else "has no route to it"
        return (f"The router {one.refusal.sender} {word}.",), f"ip route get {facts.address}"
    if one.refusal is None and "refused" not in one.problem:
        return (
            f"The gateway {seen.route.gateway} does not pass it on, or its firewall drops it.",
            "The nodes do not know the way back to this LAN: their default gateway is wrong.",
            "The node's firewall drops it. A look from a host in the nodes' own LAN tells them apart.",
        ), f"traceroute -T -p {one.port.port} {facts.address}"
    return None


def _closed(checks: Checks, name: str) -> bool:
    silent = "no answer" in checks.kubelet or "no route" in checks.kubelet
    others = [problem for node, problem in checks.node_ports.items() if node != name]
    elsewhere = not others or any(not problem for problem in others)
    mine = checks.node_ports.get(name, "")
    return (silent and bool(checks.proxy)) or (bool(mine) and "refused" not in mine and elsewhere and bool(others))


def _firewall(facts: Facts, name: str, number: int, *told: str) -> Told:
    where = facts.lan_address(name) if name else "NODE"
    show = f"ssh {where} 'sudo firewall-cmd --permanent --add-port={number}/tcp && sudo firewall-cmd --reload'"
    return (*told, "Without firewalld: ssh " + where + " sudo nft list ruleset shows the rule."), show
