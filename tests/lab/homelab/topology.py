# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab as data: hosts, their addresses and MACs. Pure; the same arguments always give the same topology."""

from __future__ import annotations

import dataclasses
import ipaddress
import json
from typing import Any, Literal

Kind = Literal["router", "client", "node"]

POD_NETWORK = ipaddress.ip_network("10.244.0.0/16")
SERVICE_NETWORK = ipaddress.ip_network("10.96.0.0/16")


class TopologyError(ValueError):
    """An argument that no lab can be built from; the message names it, its value and the remedy."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One machine of the homelab. `address` is what it is meant to have; the client's comes from the router."""

    name: str
    kind: Kind
    mac: str
    address: str
    pod_network: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """A LAN with one router, one client and `nodes` in order; the first node is the control plane."""

    lan: str
    proxy_mode: str
    kubernetes: bool
    router: Host
    client: Host
    nodes: tuple[Host, ...]

    @property
    def hosts(self) -> tuple[Host, ...]:
        return (self.router, self.client, *self.nodes)

    @property
    def prefix_length(self) -> int:
        return ipaddress.ip_network(self.lan).prefixlen

    @property
    def dynamic_range(self) -> tuple[str, str]:
        """First and last address the router hands out by DHCP before Lantern reserves: all but itself."""
        lan = ipaddress.ip_network(self.lan)
        return str(lan[2]), str(lan[-2])

    def host(self, name: str) -> Host:
        for host in self.hosts:
            if host.name == name:
                return host
        raise TopologyError(f"no host {name!r} in this lab; hosts are {', '.join(h.name for h in self.hosts)}")

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Topology:
        data: dict[str, Any] = json.loads(text)
        data["router"], data["client"] = Host(**data["router"]), Host(**data["client"])
        data["nodes"] = tuple(Host(**node) for node in data["nodes"])
        return cls(**data)


def plan(
    *,
    nodes: int = 3,
    lan: str = "192.168.2.0/24",
    first_node: str | None = None,
    kubernetes: bool = True,
    proxy_mode: str = "iptables",
) -> Topology:
    """The topology for these arguments.

    Raises:
        TopologyError: too many nodes, a LAN too small or not a network, a first node outside it.
    """
    if not 1 <= nodes <= 200:
        raise TopologyError(f"--nodes {nodes}: choose 1 to 200")
    try:
        network = ipaddress.IPv4Network(lan)
    except ValueError as error:
        raise TopologyError(f"--lan {lan}: {error}; give an IPv4 network such as 192.168.2.0/24") from error
    if network.overlaps(POD_NETWORK) or network.overlaps(SERVICE_NETWORK):
        raise TopologyError(f"--lan {lan}: overlaps the lab's pods ({POD_NETWORK}) or services ({SERVICE_NETWORK})")
    if network.num_addresses < 32:
        raise TopologyError(f"--lan {lan}: too small for a lab, give at least a /27")
    try:
        first = ipaddress.IPv4Address(first_node) if first_node else network[11]
    except ValueError as error:
        raise TopologyError(f"--first-node {first_node}: {error}; give an IPv4 address of the LAN") from error
    if first not in network or first + nodes - 1 not in network or first + nodes - 1 == network[-1]:
        raise TopologyError(f"--first-node {first}: {nodes} node(s) from there do not fit into {network}")
    if first <= network[1]:
        raise TopologyError(f"--first-node {first}: {network[1]} is the router; start above it")
    addresses = [first + index for index in range(nodes)]
    pods = list(POD_NETWORK.subnets(new_prefix=24))
    return Topology(
        lan=str(network),
        proxy_mode=proxy_mode,
        kubernetes=kubernetes,
        router=Host(name="router", kind="router", mac=_mac(0, 1), address=str(network[1])),
        client=_client(network, taken=set(addresses)),
        nodes=tuple(
            Host(
                name=f"node{i}", kind="node", mac=_mac(1, i), address=str(address), pod_network=str(pods[i % len(pods)])
            )
            for i, address in enumerate(addresses, start=1)
        ),
    )


def _mac(group: int, index: int) -> str:
    """A locally administered MAC that says what it belongs to."""
    return f"02:1a:7e:{group:02x}:{index >> 8:02x}:{index & 255:02x}"


def _client(network: ipaddress.IPv4Network, taken: set[ipaddress.IPv4Address]) -> Host:
    """The client with the first MAC whose lease falls into the lower half of the LAN and is nobody's."""
    first, count = network[2], network.num_addresses - 3
    for index in range(1, 1 << 16):
        mac = _mac(2, index)
        address = first + dnsmasq_hash(mac) % count
        if address < network[network.num_addresses // 2] and address not in taken:
            return Host(name="client", kind="client", mac=mac, address=str(address))
    raise TopologyError(f"--lan {network}: no address is left for the client below the middle of the LAN")


def dnsmasq_hash(mac: str) -> int:
    """Where in its range dnsmasq starts looking for a client's first lease (the SDBM hash of its MAC, 32 bits)."""
    value = 0
    for octet in bytes.fromhex(mac.replace(":", "")):
        value = (octet + (value << 6) + (value << 16) - value) & 0xFFFFFFFF
    return value
