# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the answers from the wire mean, hop by hop. PRIVATE to the homelab.lantern collection."""

from __future__ import annotations

import typing as t

GOOD, BAD, SKIPPED = "good", "bad", "skipped"


class Verdict(t.NamedTuple):
    """One hop judged: `result` is good, bad or skipped; `remedy` is empty unless it is bad."""

    hop: str
    result: str
    text: str
    remedy: str = ""


class Target(t.NamedTuple):
    """What is probed, and what the cluster knows about it."""

    service: str
    address: str
    endpoints: int
    local: bool
    obstacle: str


def node_with(mac: str, macs: dict[str, list[str]]) -> str:
    """The node that a MAC belongs to, "" if to none; `macs` by node."""
    return next((node for node, owned in macs.items() if mac.lower() in (m.lower() for m in owned)), "")


def named(mac: str, macs: dict[str, list[str]]) -> str:
    node = node_with(mac, macs)
    return f"{node} ({mac})" if node else f"{mac} (no node of this cluster)"


def arp(target: Target, answers: list[str], macs: dict[str, list[str]]) -> Verdict:
    """`answers`: the distinct MACs that answered who-has the address."""
    if len(answers) == 1:
        node = node_with(answers[0], macs)
        if node or not any(macs.values()):
            return Verdict("ARP", GOOD, f"{named(answers[0], macs) if node else answers[0]} answers")
        return Verdict(
            "ARP",
            BAD,
            f"{answers[0]} answers for {target.address}, which is no node of this cluster",
            "Another device uses this address: find it by its MAC, give it another address, and keep it out of "
            "the pool by "
            "the router's DHCP (stage reserve).",
        )
    if len(answers) > 1:
        told = " and ".join(named(mac, macs) for mac in answers)
        return Verdict(
            "ARP",
            BAD,
            f"{len(answers)} devices answer for {target.address}: {told}",
            "If one is no node, another device uses the address: change it. If all are nodes, their speakers do "
            "not agree: "
            "look at `kubectl -n metallb-system logs daemonset/speaker`, and for another load balancer in the cluster.",
        )
    return Verdict("ARP", BAD, f"nobody answers for {target.address}", _why_silent(target))


def _why_silent(target: Target) -> str:
    if target.obstacle:
        return target.obstacle
    if target.endpoints == 0:
        return (
            f"No pod behind Service {target.service} is ready, so no node announces it: look at "
            f"`kubectl -n {target.service.split('/')[0]} describe service {target.service.split('/')[-1]}`."
        )
    policy = " (externalTrafficPolicy Local: only a node with such a pod announces it)" if target.local else ""
    return (
        f"No speaker announces it{policy}: `kubectl -n metallb-system logs daemonset/speaker` tells why. A Wi-Fi "
        "access "
        "point or managed switch that filters ARP between its ports has the same effect."
    )


def tcp(target: Target, port: int, problem: str) -> Verdict:
    """`problem`: "" for a connection made, else the error's text."""
    hop = f"TCP {port}"
    if not problem:
        return Verdict(hop, GOOD, "connected")
    if target.endpoints == 0:
        remedy = f"No pod behind Service {target.service} is ready: start one."
    elif "refused" in problem:
        remedy = (
            "The packet arrived, but nothing listens: does the Service's targetPort match the port of the container?"
        )
    else:
        remedy = (
            "The node does not pass the packet on to a pod: check that kube-proxy runs on it, its firewall, and "
            "the pod "
            "network between the nodes."
        )
    return Verdict(hop, BAD, f"no connection to {target.address}:{port} ({problem})", remedy)


def http(target: Target, port: int, status: int, problem: str) -> Verdict:
    """`status`: HTTP status of GET /, 0 if there was no HTTP answer; then `problem` says what came instead."""
    hop = f"HTTP {port}"
    if status and status < 500:
        return Verdict(hop, GOOD, f"GET / answers {status}")
    if status:
        return Verdict(hop, BAD, f"GET / answers {status}", f"Look at the log of the pods behind {target.service}.")
    return Verdict(
        hop,
        BAD,
        f"no HTTP answer on port {port} ({problem})",
        f"The connection opens, but the program behind {target.service} does not answer: look at its pods' log. If it "
        "does not speak HTTP, set verify_http_ports to the ports that do.",
    )


def off_lan(target: Target, gateway: str) -> Verdict:
    """The probing host reaches the address only through a router: it cannot see ARP."""
    return Verdict("ARP", SKIPPED, f"not visible from here, {target.address} is behind the router {gateway}")


def is_node(target: Target, node: str) -> Verdict:
    """The probing host is itself a node: it does not hear its own answers."""
    return Verdict("ARP", SKIPPED, f"not visible from here, this host is the node {node}")


def all_good(verdicts: list[Verdict]) -> bool:
    return all(verdict.result != BAD for verdict in verdicts)
