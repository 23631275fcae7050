# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab as data: hosts, their addresses and MACs. Pure; the same arguments always give the same topology."""

from __future__ import annotations

import dataclasses
import hashlib
import ipaddress
import json
from collections.abc import Sequence
from typing import Any, Literal, get_args

Kind = Literal["router", "client", "node"]
System = Literal["debian", "raspbian", "el"]
Switch = Literal["lan", "lan2"]
SYSTEMS: tuple[System, ...] = get_args(System)

POD_NETWORK = ipaddress.IPv4Network("10.244.0.0/16")
SERVICE_NETWORK = ipaddress.IPv4Network("10.96.0.0/16")
POD_NETWORK6 = ipaddress.IPv6Network("fd00:10:244::/56")
SERVICE_NETWORK6 = ipaddress.IPv6Network("fd00:10:96::/112")


class TopologyError(ValueError):
    """An argument that no lab can be built from; the message names it, its value and the remedy."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """One machine of the homelab, its `eth0` in a port of `switch`.

    `address` is what it is meant to have; a client's comes from the router. `host_part` is the lower half of its IPv6
    address where it is chosen and not made from the MAC. A router with `second_mac` has an `eth1` in the second switch.
    """

    name: str
    kind: Kind
    mac: str
    address: str
    pod_network: str | None = None
    pod_network6: str | None = None
    system: System = "debian"
    switch: Switch = "lan"
    host_part: str | None = None
    second_mac: str | None = None

    @property
    def link_local(self) -> str:
        """The IPv6 address that needs no router (RFC 4291 appendix A); never changes, as the MAC does not."""
        octets = bytes.fromhex(self.mac.replace(":", ""))
        identifier = bytes([octets[0] ^ 2]) + octets[1:3] + b"\xff\xfe" + octets[3:]
        return str(ipaddress.IPv6Address(bytes.fromhex("fe80000000000000") + identifier))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SecondLan:
    """Another LAN behind the same router, with one client on it. `gateway` is what the router's DHCP tells it."""

    lan: str
    gateway: str
    guest: Host

    @property
    def router_address(self) -> str:
        return str(ipaddress.IPv4Network(self.lan)[1])

    @property
    def dynamic_range(self) -> tuple[str, str]:
        return _dynamic_range(self.lan)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Topology:
    """A LAN with one router, one client and `nodes` in order; the first node is the control plane.

    `ipv6` is the /64 the LAN starts with, None without IPv6.
    """

    lan: str
    proxy_mode: str
    kubernetes: bool
    router: Host
    client: Host
    nodes: tuple[Host, ...]
    ipv6: str | None = None
    second: SecondLan | None = None

    @property
    def hosts(self) -> tuple[Host, ...]:
        return (self.router, self.client, *self.nodes, *([self.second.guest] if self.second else []))

    @property
    def dynamic_range(self) -> tuple[str, str]:
        """First and last address the router hands out by DHCP before Lantern reserves: all but itself."""
        return _dynamic_range(self.lan)

    def prefix_length(self, host: Host) -> int:
        """Of the IPv4 network that `host`'s eth0 is in."""
        lan = self.second.lan if self.second and host.switch == "lan2" else self.lan
        return ipaddress.ip_network(lan).prefixlen

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
        if second := data.get("second"):
            data["second"] = SecondLan(**{**second, "guest": Host(**second["guest"])})
        return cls(**data)


def address6(host: Host, prefix: str) -> str:
    """`host`'s address under an IPv6 prefix: its chosen host part, else the one made from its MAC."""
    part = ipaddress.IPv6Address(host.host_part or host.link_local)
    return str(ipaddress.IPv6Network(prefix)[int(part) & ((1 << 64) - 1)])


def ipv6_prefix(text: str) -> str:
    """A prefix for the LAN in its canonical form.

    Raises:
        TopologyError: not a /64 that hosts may have addresses from, or one that the lab's cluster uses.
    """
    try:
        network = ipaddress.IPv6Network(text)
    except ValueError as error:
        raise TopologyError(f"IPv6 prefix {text}: {error}; give a network such as fd12:3456:789a:1::/64") from error
    if network.prefixlen != 64 or network.is_link_local or network.is_multicast or network.is_unspecified:
        raise TopologyError(f"IPv6 prefix {network}: hosts make their own addresses in a /64 of global or local scope")
    if network.overlaps(POD_NETWORK6) or network.overlaps(SERVICE_NETWORK6):
        raise TopologyError(f"IPv6 prefix {network}: is the lab's for pods or services; choose another")
    return str(network)


def plan(
    *,
    nodes: int = 3,
    lan: str = "192.168.2.0/24",
    first_node: str | None = None,
    kubernetes: bool = True,
    proxy_mode: str = "iptables",
    ipv6: str | None = None,
    second_lan: str | None = None,
    second_gateway: str | None = None,
    systems: Sequence[str] = ("debian",),
) -> Topology:
    """The topology for these arguments; an empty `ipv6` stands for a unique local prefix made from `lan`.

    Raises:
        TopologyError: too many nodes, a LAN too small or not a network, a first node outside it, a second LAN that
            overlaps, an unknown operating system.
    """
    if not 1 <= nodes <= 200:
        raise TopologyError(f"--nodes {nodes}: choose 1 to 200")
    network = _lan("--lan", lan)
    first = _first_node(network, first_node, nodes)
    addresses = [first + index for index in range(nodes)]
    second = _second_lan(network, second_lan, second_gateway) if second_lan else None
    if second_gateway and not second:
        raise TopologyError("--second-gateway goes with --second-lan")
    return Topology(
        lan=str(network),
        proxy_mode=proxy_mode,
        kubernetes=kubernetes,
        router=Host(
            name="router",
            kind="router",
            mac=_mac(0, 1),
            address=str(network[1]),
            host_part="::1",
            second_mac=_mac(0, 2) if second else None,
        ),
        client=_client("client", network, taken=set(addresses)),
        nodes=_nodes(addresses, _systems(systems, nodes)),
        ipv6=None if ipv6 is None else ipv6_prefix(ipv6 or _unique_local(network)),
        second=second,
    )


def _lan(option: str, text: str) -> ipaddress.IPv4Network:
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError as error:
        raise TopologyError(f"{option} {text}: {error}; give an IPv4 network such as 192.168.2.0/24") from error
    if network.overlaps(POD_NETWORK) or network.overlaps(SERVICE_NETWORK):
        raise TopologyError(f"{option} {text}: overlaps the lab's pods ({POD_NETWORK}) or services ({SERVICE_NETWORK})")
    if network.num_addresses < 32:
        raise TopologyError(f"{option} {text}: too small for a lab, give at least a /27")
    return network


def _first_node(network: ipaddress.IPv4Network, text: str | None, nodes: int) -> ipaddress.IPv4Address:
    try:
        first = ipaddress.IPv4Address(text) if text else network[11]
    except ValueError as error:
        raise TopologyError(f"--first-node {text}: {error}; give an IPv4 address of the LAN") from error
    if first not in network or first + nodes - 1 not in network or first + nodes - 1 == network[-1]:
        raise TopologyError(f"--first-node {first}: {nodes} node(s) from there do not fit into {network}")
    if first <= network[1]:
        raise TopologyError(f"--first-node {first}: {network[1]} is the router; start above it")
    return first


def _second_lan(first: ipaddress.IPv4Network, text: str, gateway: str | None) -> SecondLan:
    network = _lan("--second-lan", text)
    if network.overlaps(first):
        raise TopologyError(f"--second-lan {network}: overlaps the first LAN {first}; choose another network")
    try:
        named = ipaddress.IPv4Address(gateway) if gateway else network[1]
    except ValueError as error:
        raise TopologyError(f"--second-gateway {gateway}: {error}; give an IPv4 address of {network}") from error
    if named not in network:
        raise TopologyError(f"--second-gateway {named}: a host can only reach a gateway inside its LAN {network}")
    guest = dataclasses.replace(_client("guest", network, taken={named}, group=3), switch="lan2")
    return SecondLan(lan=str(network), gateway=str(named), guest=guest)


def _systems(named: Sequence[str], nodes: int) -> list[System]:
    known = [next((system for system in SYSTEMS if system == name), None) for name in named]
    found = [system for system in known if system]
    if len(found) < len(named):
        raise TopologyError(f"--os {','.join(named)}: operating systems are {', '.join(SYSTEMS)}")
    if len(found) not in (1, nodes):
        raise TopologyError(f"--os {','.join(named)}: name one for all nodes, or one for each of the {nodes}")
    return found * nodes if len(found) == 1 else found


def _nodes(addresses: list[ipaddress.IPv4Address], systems: list[System]) -> tuple[Host, ...]:
    pods, pods6 = list(POD_NETWORK.subnets(new_prefix=24)), list(POD_NETWORK6.subnets(new_prefix=64))
    return tuple(
        Host(
            name=f"node{i}",
            kind="node",
            mac=_mac(1, i),
            address=str(address),
            pod_network=str(pods[i % len(pods)]),
            pod_network6=str(pods6[i % len(pods6)]),
            system=system,
            host_part=f"::{10 + i}",
        )
        for i, (address, system) in enumerate(zip(addresses, systems, strict=True), start=1)
    )


def _unique_local(network: ipaddress.IPv4Network) -> str:
    """A unique local /64 (RFC 4193) whose random part is made from the LAN, so that the same lab has the same."""
    digest = hashlib.sha256(f"lab {network}".encode()).digest()
    return str(ipaddress.IPv6Network((b"\xfd" + digest[:5] + b"\0\1" + bytes(8), 64)))


def _dynamic_range(lan: str) -> tuple[str, str]:
    network = ipaddress.IPv4Network(lan)
    return str(network[2]), str(network[-2])


def _mac(group: int, index: int) -> str:
    """A locally administered MAC that says what it belongs to."""
    return f"02:1a:7e:{group:02x}:{index >> 8:02x}:{index & 255:02x}"


def _client(name: str, network: ipaddress.IPv4Network, taken: set[ipaddress.IPv4Address], group: int = 2) -> Host:
    """A client with the first MAC whose lease falls into the lower half of the LAN and is nobody's."""
    first, count = network[2], network.num_addresses - 3
    for index in range(1, 1 << 16):
        mac = _mac(group, index)
        address = first + dnsmasq_hash(mac) % count
        if address < network[network.num_addresses // 2] and address not in taken:
            return Host(name=name, kind="client", mac=mac, address=str(address))
    raise TopologyError(f"LAN {network}: no address is left for the {name} below the middle of the LAN")


def dnsmasq_hash(mac: str) -> int:
    """Where in its range dnsmasq starts looking for a client's first lease (the SDBM hash of its MAC, 32 bits)."""
    value = 0
    for octet in bytes.fromhex(mac.replace(":", "")):
        value = (octet + (value << 6) + (value << 16) - value) & 0xFFFFFFFF
    return value
