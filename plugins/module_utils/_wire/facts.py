# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cluster says about a Service, and what was seen of it on the wire. PRIVATE to homelab.lantern.

Records only: probing.py fills what was seen, hops.py judges both.
"""

from __future__ import annotations

import typing as t


class Node(t.NamedTuple):
    """A node of the cluster, see loadbalancer_services_info. `proxy` is None where nobody knows about kube-proxy."""

    name: str
    addresses: tuple[str, ...] = ()
    macs: tuple[str, ...] = ()
    ready: bool = True
    excluded: bool = False
    selected: bool = True
    speaker: bool = True
    proxy: bool | None = None


class Port(t.NamedTuple):
    """A port of the Service; `node_port` is 0 if it has none."""

    port: int
    protocol: str = "TCP"
    name: str = ""
    node_port: int = 0


class Facts(t.NamedTuple):
    """What the cluster and the inventory say about one address of one Service.

    `owners` are the nodes that announce it. `lans` are the inventory's LANs, as far as known. `advertised` are the
    protocols (layer2, bgp) that tell the LAN about the pool, None when not known; `unannounced`: none is meant to.
    """

    service: str
    address: str
    ports: tuple[Port, ...] = ()
    endpoints: int = 1
    endpoints_starting: int = 0
    endpoint_nodes: tuple[str, ...] = ()
    selector: str = ""
    local: bool = False
    pool: str = ""
    pool_addresses: tuple[str, ...] = ()
    advertised: tuple[str, ...] | None = None
    unannounced: bool = False
    owners: tuple[str, ...] = ()
    warning: str = ""
    obstacle: str = ""
    lans: tuple[str, ...] = ()
    nodes: tuple[Node, ...] = ()

    @property
    def namespace(self) -> str:
        return self.service.partition("/")[0]

    @property
    def name(self) -> str:
        return self.service.partition("/")[2]

    @property
    def version(self) -> int:
        return 6 if ":" in self.address else 4

    def node(self, name: str) -> Node | None:
        return next((node for node in self.nodes if node.name == name), None)

    def lan_address(self, name: str) -> str:
        """The node's address of the Service's family, else any, else its name."""
        node = self.node(name)
        addresses = node.addresses if node else ()
        same = [address for address in addresses if (":" in address) == (self.version == 6)]
        return next(iter(same or addresses), name)


class Route(t.NamedTuple):
    """How this host reaches an address: interface, own address on it, gateway ("" if the address is in the LAN)."""

    interface: str
    source: str
    gateway: str


class Answer(t.NamedTuple):
    """Somebody answers ARP or neighbour discovery for the address."""

    mac: str
    milliseconds: float


class Reply(t.NamedTuple):
    """The first frame that came back from the address: whose MAC, and the hop limit that was left."""

    mac: str
    hops_left: int


class Refusal(t.NamedTuple):
    """An ICMP error about our packets: who sent it, and which one (prohibited, host, net, port, expired)."""

    sender: str
    kind: str


class Try(t.NamedTuple):
    """One port tried. `problem` is "" for a connection made; `said` is what the program told, if anything."""

    port: Port
    problem: str = ""
    milliseconds: float = 0.0
    refusal: Refusal | None = None
    reply: Reply | None = None
    said: Said | None = None


class Said(t.NamedTuple):
    """What the program behind a port told: `kind` is HTTP, TLS or banner; `status` counts for HTTP only."""

    kind: str
    text: str
    problem: str = ""
    status: int = 0
    milliseconds: float = 0.0


class Checks(t.NamedTuple):
    """The owner's other ports, looked at when a connection fails: "" for an open one, else why not.

    `node_ports`: the Service's own port on each node, by node.
    """

    kubelet: str = ""
    proxy: str = ""
    node_ports: t.Mapping[str, str] = {}


class Seen(t.NamedTuple):
    """What one look at the wire showed.

    `route` is None where this host has none. `own_node`: the node this host is, "" for none. `node_macs`: the MACs of
    each other node with an address in this LAN, by name; `silent_nodes`: those that do not answer there. `strangers`:
    maker and name by MAC.
    """

    route: Route | None = None
    own_node: str = ""
    answers: tuple[Answer, ...] = ()
    node_macs: t.Mapping[str, t.Sequence[str]] = {}
    silent_nodes: tuple[str, ...] = ()
    gateway_macs: tuple[str, ...] = ()
    tries: tuple[Try, ...] = ()
    checks: Checks | None = None
    strangers: t.Mapping[str, str] = {}

    def node_with(self, mac: str) -> str:
        """The node that a MAC belongs to, "" if to none."""
        wanted = mac.lower()
        return next((name for name, macs in self.node_macs.items() if wanted in [m.lower() for m in macs]), "")

    def named(self, mac: str) -> str:
        """The MAC with who it is, for people."""
        node = self.node_with(mac)
        return f"{node} ({mac})" if node else f"{mac} ({self.strangers.get(mac) or 'no node of this cluster'})"
