# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way to a Service, hop by hop, from what the cluster says and what was seen on the wire. PRIVATE, pure.

Service → pool → endpoints → owner → gateway (only from another LAN) → ARP or NDP → each port → what the program says
→ the way back. The order matters: the first bad hop is the broken one, and the hops after it may only suffer from it.
"""

from __future__ import annotations

import ipaddress
import typing as t

from ansible_collections.homelab.lantern.plugins.module_utils._pools import parse_networks

from . import causes
from .facts import Facts, Node, Said, Seen, Try
from .verdicts import BAD, GOOD, SKIPPED, Verdict


def judge(facts: Facts, seen: Seen) -> list[Verdict]:
    """A verdict for each hop. Where nobody has the address, the ports are left out: they cannot but fail."""
    chain = [service(facts), pool(facts, seen), endpoints(facts), owner(facts, seen)]
    if seen.route is None:
        return [*chain, route(facts)]
    if seen.route.gateway:
        chain.append(gateway(facts, seen))
    chain.append(neighbour(facts, seen))
    for one in seen.tries:
        chain.append(port(facts, seen, one))
        if one.said is not None:
            chain.append(program(facts, one, one.said))
    back = way_back(facts, seen)
    return [*chain, back] if back is not None else chain


def service(facts: Facts) -> Verdict:
    ports = ", ".join(f"{one.port}/{one.protocol}" for one in facts.ports) or "no ports"
    return Verdict("Service", GOOD, f"has {facts.address}, {ports}")


def may_mend(facts: Facts) -> bool:
    """Whether another look at the wire may find what this one did not: what the cluster says stays what it was."""
    return bool(facts.endpoints) and (facts.advertised != () or facts.unannounced) and len(facts.owners) < 2


def outside_lan(facts: Facts) -> str:
    """The inventory's LANs that the address lies outside of, as words; "" where none of its family is known."""
    near = [network for network in parse_networks(facts.lans)[0] if network.version == facts.version]
    if any(ipaddress.ip_address(facts.address) in network for network in near):
        return ""
    listed = ", ".join(map(str, near))
    return f"the LAN{'s' if len(near) > 1 else ''} {listed}" if near else ""


def pool(facts: Facts, seen: Seen) -> Verdict:
    """The pool is announced, and hosts of the LAN look for its addresses in the LAN."""
    if not facts.pool:
        return Verdict("pool", SKIPPED, "no pool of this cluster holds it")
    where = f"{facts.pool} ({', '.join(facts.pool_addresses)})" if facts.pool_addresses else facts.pool
    if facts.advertised == () and facts.unannounced:
        return Verdict("pool", GOOD, f"{where} is announced by nothing, as the inventory wants it")
    if facts.advertised == ():
        return Verdict(
            "pool",
            BAD,
            f"{where} is announced by nothing",
            (f"There is no L2Advertisement that takes the pool {facts.pool}.",),
            "ansible-playbook playbooks/site.yml --tags deploy",
        )
    connected = any(not one.problem for one in seen.tries)
    outside = outside_lan(facts)
    if outside and not connected:
        return Verdict(
            "pool",
            BAD,
            f"{where}: {facts.address} is outside {outside}",
            (
                f"Hosts of the LAN send such packets to their router, which has no route to {facts.address}. Take "
                "addresses of the LAN for the pool (lantern_pools), or correct lantern_lan.",
                "If it is meant: the router needs a route for the pool by way of a node.",
            ),
            "ansible-playbook playbooks/plan.yml",
        )
    remark = f", outside {outside}, but there is a route" if outside else ""
    return Verdict("pool", GOOD, where + remark)


def endpoints(facts: Facts) -> Verdict:
    if facts.endpoints:
        where = f" on {', '.join(facts.endpoint_nodes)}" if facts.endpoint_nodes else ""
        return Verdict("endpoints", GOOD, f"{facts.endpoints} pod{'s' if facts.endpoints != 1 else ''} ready{where}")
    show = f"kubectl -n {facts.namespace} get pods" + (f" -l {facts.selector}" if facts.selector else "")
    if facts.endpoints_starting:
        told = (
            f"{facts.endpoints_starting} pods match, but none is ready: they start, crash, or fail their "
            "readiness probe.",
        )
        return Verdict("endpoints", BAD, "no pod behind it is ready", told, show)
    told = (
        f"No pod has the labels that the Service asks for ({facts.selector or 'it has no selector'}): a typing error "
        "in selector or labels, or the Deployment has no replicas.",
        "The pods' node is lost, and they are not started elsewhere yet.",
    )
    return Verdict("endpoints", BAD, "no pod is behind it", told, show)


def owner(facts: Facts, seen: Seen) -> Verdict:
    """Exactly one node announces the address, and it is in the LAN."""
    strangers = [answer.mac for answer in seen.answers if not seen.node_with(answer.mac)]
    if len(facts.owners) > 1:
        return Verdict(
            "owner",
            BAD,
            f"{' and '.join(facts.owners)} announce it at the same time",
            ("Their speakers do not hear each other: port 7946 (TCP and UDP) is closed between the nodes.",),
            "ansible-playbook playbooks/site.yml --tags prepare",
        )
    if not facts.owners and facts.unannounced:
        return Verdict("owner", SKIPPED, "no node is to announce it")
    if not facts.owners:
        if strangers:
            return Verdict("owner", SKIPPED, "no node announces it, as long as another device has it")
        if any(seen.node_with(answer.mac) for answer in seen.answers) and not facts.obstacle:
            return Verdict("owner", SKIPPED, "the cluster does not say which node announces it")
        told, command = causes.of_no_owner(facts)
        return Verdict("owner", BAD, "no node announces it", told, command)
    (name,) = facts.owners
    if name in seen.silent_nodes and not seen.answers:
        address = facts.lan_address(name)
        told = (
            f"The network cable of {name}, its switch port or its power: {address} does not answer in the LAN.",
            *_no_successor(facts, name),
        )
        return Verdict("owner", BAD, f"{name} announces it, but is silent itself", told, f"ping -c 3 {address}")
    return Verdict("owner", GOOD, f"{name} announces it")


def _no_successor(facts: Facts, lost: str) -> t.Sequence[str]:
    others = [node for node in facts.nodes if node.name != lost]
    blocked = [f"{node.name} {why}" for node in others if (why := causes.why_not(facts, node))]
    if len(blocked) < len(others) or not others:
        return ()
    return (f"No other node can take over: {'; '.join(blocked)}.",)


def route(facts: Facts) -> Verdict:
    """This host knows no way to the address."""
    return Verdict(
        "route",
        BAD,
        f"this host has no route to {facts.address}",
        (
            "This host has no address in that LAN and no default gateway"
            + (", or no IPv6 at all." if facts.version == 6 else "."),
            "Run the verify stage on a host that clients are like (inventory group probe).",
        ),
        f"ip {'-6 ' if facts.version == 6 else ''}route",
    )


def gateway(facts: Facts, seen: Seen) -> Verdict:
    """Seen from another LAN: the router that this host was told to use is there."""
    if seen.route is None or not seen.route.gateway:
        return Verdict("gateway", GOOD, "this host is in the same LAN and needs no gateway")
    address = seen.route.gateway
    if seen.gateway_macs:
        return Verdict("gateway", GOOD, f"{address} is this host's gateway to {facts.address}, and is there")
    return Verdict(
        "gateway",
        BAD,
        f"nobody has {address}, this host's gateway to {facts.address}",
        (
            "This host's default gateway is wrong: its DHCP server or its own settings name one that is not there.",
            "The router is off.",
        ),
        f"sudo ip route replace default via ROUTER dev {seen.route.interface}",
    )


def neighbour(facts: Facts, seen: Seen) -> Verdict:
    """Exactly one device has the address, and it is the owner."""
    hop = "NDP" if facts.version == 6 else "ARP"
    if seen.route is None or seen.route.gateway:
        behind = f"behind the router {seen.route.gateway}" if seen.route is not None else "not in this host's LAN"
        return Verdict(hop, SKIPPED, f"not visible from here, {facts.address} is {behind}")
    if seen.own_node and seen.own_node in facts.owners:
        return Verdict(hop, SKIPPED, f"not visible from here, this host is its owner {seen.own_node}")
    answers = seen.answers
    took = answers[0].milliseconds if answers else None
    if not answers and facts.unannounced and not facts.owners:
        return Verdict(hop, SKIPPED, f"nobody answers for {facts.address}, as nothing announces it")
    if not answers:
        told, command = causes.of_silence(facts, hop)
        return Verdict(hop, BAD, f"nobody answers for {facts.address}", told, command)
    macs = [answer.mac for answer in answers]
    if len(macs) > 1:
        named = " and ".join(seen.named(mac) for mac in macs)
        told, command = causes.of_several(facts, seen, macs)
        return Verdict(hop, BAD, f"{len(macs)} devices answer for {facts.address}: {named}", told, command, took)
    node = seen.node_with(macs[0])
    known = any(seen.node_macs.values())
    if not node and known:
        told, command = causes.of_stranger(facts, macs[0])
        return Verdict(hop, BAD, f"{seen.named(macs[0])} answers for {facts.address}", told, command, took)
    if node and len(facts.owners) == 1 and node not in facts.owners:
        told, command = causes.of_wrong_node(facts, node)
        text = f"{seen.named(macs[0])} answers, but {facts.owners[0]} announces it"
        return Verdict(hop, BAD, text, told, command, took)
    return Verdict(hop, GOOD, f"{seen.named(macs[0]) if node else macs[0]} answers", milliseconds=took)


def port(facts: Facts, seen: Seen, one: Try) -> Verdict:
    """A connection can be made."""
    hop = f"{one.port.protocol} {one.port.port}"
    if one.port.protocol != "TCP":
        return Verdict(hop, SKIPPED, "only TCP is tried")
    if seen.own_node:
        state = f"no connection ({one.problem})" if one.problem else "connected"
        text = f"{state}, but this host is {seen.own_node}: its own kube-proxy answers, which tells nothing of the LAN"
        return Verdict(hop, SKIPPED, text, milliseconds=one.milliseconds)
    if not one.problem:
        return Verdict(hop, GOOD, "connected", milliseconds=one.milliseconds)
    told, command = causes.of_no_connection(facts, seen, one)
    who = f", says {one.refusal.sender}" if one.refusal is not None else ""
    text = f"no connection to {_shown(facts.address, one.port.port)} ({one.problem}{who})"
    return Verdict(hop, BAD, text, told, command, one.milliseconds)


def _shown(address: str, number: int) -> str:
    return f"[{address}]:{number}" if ":" in address else f"{address}:{number}"


def program(facts: Facts, one: Try, said: Said) -> Verdict:
    """The program behind the port says something sensible."""
    hop = f"{said.kind} {one.port.port}"
    logs = f"kubectl -n {facts.namespace} logs service/{facts.name} --tail=20"
    if said.problem:
        told = (
            f"The connection opens, but the program does not answer as {said.kind}: its log says why.",
            "If it does not speak that, set verify_http_ports to the ports that do." if said.kind == "HTTP" else "",
        )
        text = f"no {said.kind} answer on port {one.port.port} ({said.problem})"
        return Verdict(hop, BAD, text, tuple(filter(None, told)), logs, said.milliseconds or None)
    if said.status >= 500:
        return Verdict(hop, BAD, said.text, ("The program has an error of its own.",), logs, said.milliseconds)
    return Verdict(hop, GOOD, said.text, milliseconds=said.milliseconds)


def way_back(facts: Facts, seen: Seen) -> Verdict | None:
    """Whether answers come back by the way that questions went; None if no connection could be made."""
    replies = [one.reply for one in seen.tries if one.reply is not None and not one.problem]
    if not replies or seen.own_node:
        return None
    mac = replies[0].mac
    if seen.route is not None and seen.route.gateway:
        if not seen.gateway_macs or mac in seen.gateway_macs:
            return Verdict("way back", GOOD, f"through {seen.route.gateway}, as the way there")
        text = f"through {mac}, not through the gateway {seen.route.gateway}: two routers share the work"
        return Verdict("way back", GOOD, text)
    there = seen.answers[0].mac if seen.answers else mac
    if mac == there:
        return Verdict("way back", GOOD, f"from {seen.named(mac) if any(seen.node_macs.values()) else mac}")
    text = (
        f"from {seen.named(mac)}, though {seen.named(there)} took the question: firewalls that follow connections "
        "may drop this"
    )
    return Verdict("way back", GOOD, text)


def nodes_of(options: t.Sequence[t.Mapping[str, t.Any]]) -> tuple[Node, ...]:
    """Nodes from a module's option."""
    return tuple(
        Node(
            name=str(one["name"]),
            addresses=tuple(one.get("addresses") or ()),
            macs=tuple(str(mac).lower() for mac in one.get("macs") or ()),
            ready=bool(one.get("ready", True)),
            excluded=bool(one.get("excluded", False)),
            selected=bool(one.get("selected", True)),
            speaker=bool(one.get("speaker", True)),
            proxy=one.get("proxy"),
        )
        for one in options
    )
