# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A look at Services on the wire: what to ask, and in which order. PRIVATE to the homelab.lantern collection.

All addresses are looked at together: answers by ARP and neighbour discovery are waited for once for all, and ports of
many are tried at a time.
"""

from __future__ import annotations

import typing as t
from concurrent.futures import ThreadPoolExecutor

from . import causes, strangers
from .facts import Answer, Checks, Facts, Port, Route, Said, Seen, Try

if t.TYPE_CHECKING:  # pragma: no cover
    from .probing import Wire

TLS_PORTS = (443, 6443, 8443)

AT_A_TIME = 32
"""Addresses whose ports are tried at a time: a silent one takes seconds, and a raw socket listens beside each."""


class Looks:
    """Looks at addresses, again and again if need be; what does not change meanwhile is asked once."""

    def __init__(self, wire: Wire, http_ports: t.Sequence[int], seconds: float) -> None:
        self._wire = wire
        self._http_ports = http_ports
        self._seconds = seconds
        self._routes: dict[str, Route | None] = {}
        self._macs: dict[str, list[str]] = {}

    def once(self, wanted: t.Sequence[Facts]) -> list[Seen]:
        """Ask for each address and try its ports, in the order of `wanted`."""
        self._meet({address for facts in wanted for address in self._beside(facts)})
        answers = self._ask(dict.fromkeys(facts.address for facts in wanted if self._visible(facts)))
        with ThreadPoolExecutor(AT_A_TIME) as workers:
            return list(workers.map(lambda facts: self._at(facts, answers.get(facts.address, [])), wanted))

    def closer(self, looked: t.Sequence[tuple[Facts, Seen]]) -> list[Seen]:
        """What helps to name the cause of a trouble: who a stranger is, and what else the owner answers."""
        with ThreadPoolExecutor(AT_A_TIME) as workers:
            return list(workers.map(lambda one: self._closer(*one), looked))

    def _route(self, address: str) -> Route | None:
        if address not in self._routes:
            self._routes[address] = self._wire.route(address)
        return self._routes[address]

    def _ask(self, addresses: t.Iterable[str], first_only: bool = False) -> dict[str, list[Answer]]:
        """Who answers for these addresses of the LANs that this host is in."""
        by_interface: dict[str, list[str]] = {}
        for address in addresses:
            route = self._route(address)
            if route is not None:
                by_interface.setdefault(route.interface, []).append(address)
        found: dict[str, list[Answer]] = {}
        for interface, asked in by_interface.items():
            found.update(self._wire.who_have(asked, interface, self._seconds, first_only))
        return found

    def _meet(self, neighbours: t.Iterable[str]) -> None:
        """Learn the MACs of nodes and gateways, as far as they are not known."""
        answers = self._ask(sorted(address for address in neighbours if not self._macs.get(address)), first_only=True)
        self._macs.update((address, [one.mac for one in found]) for address, found in answers.items())

    def _beside(self, facts: Facts) -> list[str]:
        """Whose MACs tell what an answer means: the gateway's if there is one between, else those of the nodes."""
        route = self._route(facts.address)
        if route is None:
            return []
        if route.gateway:
            return [route.gateway]
        return [address for here in self._nodes_here(facts, route).values() for address in here]

    def _nodes_here(self, facts: Facts, route: Route) -> dict[str, list[str]]:
        """The addresses of the other nodes in the LAN of this address, by node, of the address's family."""
        here = {
            node.name: [a for a in node.addresses if (":" in a) == (facts.version == 6) and self._on_link(a, route)]
            for node in facts.nodes
            if node.name != self._own_node(facts, route)
        }
        return {name: addresses for name, addresses in here.items() if addresses}

    def _on_link(self, address: str, route: Route) -> bool:
        own = self._route(address)
        return own is not None and not own.gateway and own.interface == route.interface

    def _own_node(self, facts: Facts, route: Route) -> str:
        return next((node.name for node in facts.nodes if route.source in node.addresses), "")

    def _visible(self, facts: Facts) -> bool:
        """Whether this host would hear who has the address: it is in this LAN, and no address of this host's own."""
        route = self._route(facts.address)
        if route is None or route.gateway:
            return False
        own = self._own_node(facts, route)
        return not own or own not in facts.owners

    def _at(self, facts: Facts, answers: t.Sequence[Answer]) -> Seen:
        """One address. Where nobody has it, its ports are left alone."""
        route = self._route(facts.address)
        if route is None:
            return Seen()
        nodes = {} if route.gateway else self._nodes_here(facts, route)
        known = {node.name: node.macs for node in facts.nodes}
        macs = {
            name: list(dict.fromkeys([*known[name], *(mac for a in here for mac in self._macs.get(a, []))]))
            for name, here in nodes.items()
        }
        gateway = self._macs.get(route.gateway, []) if route.gateway else []
        hopeless = not gateway if route.gateway else self._visible(facts) and not answers
        return Seen(
            route=route,
            own_node=self._own_node(facts, route),
            answers=tuple(answers),
            node_macs=macs,
            silent_nodes=tuple(name for name, found in macs.items() if not found),
            gateway_macs=tuple(gateway),
            tries=() if hopeless else tuple(self._try(facts.address, port, route) for port in facts.ports),
        )

    def _try(self, address: str, port: Port, route: Route) -> Try:
        if port.protocol != "TCP":
            return Try(port)
        done = self._wire.attempt(address, port, route.interface, self._seconds)
        return done if done.problem else done._replace(said=self._said(address, port))

    def _said(self, address: str, port: Port) -> Said | None:
        name = port.name.lower()
        if name.startswith("https") or port.port in TLS_PORTS:
            return self._wire.shake_hands(address, port.port, self._seconds)
        if port.port in self._http_ports or name.startswith("http"):
            return self._wire.get(address, port.port, self._seconds)
        return self._wire.listen(address, port.port, self._seconds)

    def _closer(self, facts: Facts, seen: Seen) -> Seen:
        unknown = [answer.mac for answer in seen.answers if not seen.node_with(answer.mac)]
        if unknown and any(seen.node_macs.values()):
            seen = seen._replace(strangers=self._who_are(facts, unknown))
        if any(one.problem for one in seen.tries) and not seen.own_node:
            seen = seen._replace(checks=self._checks(facts, seen))
        return seen

    def _who_are(self, facts: Facts, macs: t.Sequence[str]) -> dict[str, str]:
        name = strangers.names([facts.address]).get(facts.address, "")
        told = {}
        for mac in macs:
            # The name belongs to whoever answers for the address: with several it is not known to whom.
            about = [part for part in (name if len(macs) == 1 else "", strangers.vendor(mac)) if part]
            told[mac] = ", ".join([*about, "no node of this cluster"])
        return told

    def _checks(self, facts: Facts, seen: Seen) -> Checks:
        name = facts.owners[0] if facts.owners else seen.node_with(seen.answers[0].mac) if seen.answers else ""
        if not name:
            return Checks("not asked", "not asked")
        address = facts.lan_address(name)
        failed = next(one.port for one in seen.tries if one.problem)
        node_ports = {}
        if failed.node_port:
            for node in facts.nodes:
                node_ports[node.name] = self._wire.connect(
                    facts.lan_address(node.name), failed.node_port, self._seconds
                )
        return Checks(
            kubelet=self._wire.connect(address, causes.KUBELET, self._seconds),
            proxy=self._wire.connect(address, causes.PROXY_HEALTH, self._seconds),
            node_ports=node_ports,
        )
