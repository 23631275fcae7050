# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One look at a Service on the wire: what to ask, and in which order. PRIVATE to the homelab.lantern collection."""

from __future__ import annotations

import typing as t

from . import causes, strangers
from .facts import Answer, Checks, Facts, Port, Route, Said, Seen, Try

if t.TYPE_CHECKING:  # pragma: no cover
    from .probing import Wire

TLS_PORTS = (443, 6443, 8443)


class Look:
    """Looks at one address; what does not change while it is looked at again is asked once."""

    def __init__(self, wire: Wire, facts: Facts, http_ports: t.Sequence[int], seconds: float) -> None:
        self._wire = wire
        self._facts = facts
        self._http_ports = http_ports
        self._seconds = seconds
        self._route = wire.route(facts.address)
        own = self._route.source
        self._own_node = next((node.name for node in facts.nodes if own in node.addresses), "")
        self._macs: dict[str, list[str]] = {}

    def once(self) -> Seen:
        """Ask for the address and try each port. Where nobody has the address, the ports are left alone."""
        route, facts = self._route, self._facts
        silent = [] if route.gateway else self._ask_nodes()
        gateway = self._wire.who_has(route.gateway, route.interface, self._seconds, True) if route.gateway else []
        answers: list[Answer] = []
        visible = not route.gateway and not (self._own_node and self._own_node in facts.owners)
        if visible:
            answers = self._wire.who_has(facts.address, route.interface, self._seconds)
        hopeless = (visible and not answers) or (route.gateway and not gateway)
        return Seen(
            route=route,
            own_node=self._own_node,
            answers=tuple(answers),
            node_macs=self._macs,
            silent_nodes=tuple(silent),
            gateway_macs=tuple(answer.mac for answer in gateway),
            tries=() if hopeless else tuple(self._try(port, route) for port in facts.ports),
        )

    def closer(self, seen: Seen) -> Seen:
        """What helps to name the cause of a trouble: who a stranger is, and what else the owner answers."""
        unknown = [answer.mac for answer in seen.answers if not seen.node_with(answer.mac)]
        if unknown and any(seen.node_macs.values()):
            seen = seen._replace(strangers=self._who_are(unknown))
        if any(one.problem for one in seen.tries) and not seen.own_node:
            seen = seen._replace(checks=self._checks(seen))
        return seen

    def _ask_nodes(self) -> list[str]:
        """Learn the MACs of the nodes in this LAN; the names of those that are there by the cluster, but silent."""
        silent = []
        for node in self._facts.nodes:
            here = [a for a in node.addresses if (":" in a) == (self._facts.version == 6) and self._on_link(a)]
            if node.name == self._own_node or not here:
                continue
            if not self._macs.get(node.name):
                found = list(node.macs)
                for address in here:
                    answers = self._wire.who_has(address, self._route.interface, self._seconds, True)
                    found += [answer.mac for answer in answers]
                self._macs[node.name] = list(dict.fromkeys(found))
            if not self._macs[node.name]:
                silent.append(node.name)
        return silent

    def _on_link(self, address: str) -> bool:
        route = self._wire.route(address)
        return not route.gateway and route.interface == self._route.interface

    def _try(self, port: Port, route: Route) -> Try:
        if port.protocol != "TCP":
            return Try(port)
        done = self._wire.attempt(self._facts.address, port, route.interface, self._seconds)
        return done if done.problem else done._replace(said=self._ask(port))

    def _ask(self, port: Port) -> Said | None:
        address, name = self._facts.address, port.name.lower()
        if name.startswith("https") or port.port in TLS_PORTS:
            return self._wire.shake_hands(address, port.port, self._seconds)
        if port.port in self._http_ports or name.startswith("http"):
            return self._wire.get(address, port.port, self._seconds)
        return self._wire.listen(address, port.port, self._seconds)

    def _who_are(self, macs: t.Sequence[str]) -> dict[str, str]:
        name = strangers.names([self._facts.address]).get(self._facts.address, "")
        told = {}
        for mac in macs:
            # The name belongs to whoever answers for the address: with several it is not known to whom.
            about = [part for part in (name if len(macs) == 1 else "", strangers.vendor(mac)) if part]
            told[mac] = ", ".join([*about, "no node of this cluster"])
        return told

    def _checks(self, seen: Seen) -> Checks:
        facts = self._facts
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
