# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layer 2: answers ARP, neighbour solicitations and pings for the claimed addresses, and tells the LAN of them.

Glue between the machine in `l2` and the sockets, a set of them for each interface that can speak ARP.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from prometheus_client import Counter, Gauge

from lantern.adapters.address_cover import Cover, Range
from lantern.adapters.links import Link
from lantern.adapters.logs import fields
from lantern.adapters.machine_loop import MachineLoop
from lantern.adapters.packet_filter import Kind
from lantern.adapters.rtnetlink import is_local
from lantern.announce.port import IPV6_KINDS, Port
from lantern.l2.announcing import Announcing, Answered, Effect, Options, Purpose, SendFrame
from lantern.l2.claims import Claim
from lantern.l2.conflicts import ConflictSeen
from lantern.l2.probing import PROBES, FoundFree, FoundInUse
from lantern.l2.responder import Dropped, DropReason
from lantern.metrics import SpeakerMetrics
from lantern.pools import Address

log = logging.getLogger("lantern.layer2")

Report = ConflictSeen | FoundInUse | FoundFree
"""What the owner of the cluster should hear of."""

_LOCAL_SECONDS = 10.0
_NARROW_SECONDS = 1.0
"""After the last change, filters are made exact: that takes longer than a change may."""
_ECHO_KINDS = frozenset({Kind.ECHO, Kind.ECHO_V6})


@dataclass(frozen=True, slots=True)
class _Series:
    """An address's metrics, found once: to find them by their labels for each frame would cost more than the answer."""

    received: Gauge
    sent: Gauge
    gratuitous: Gauge
    pings: Gauge


class Layer2Announcer:
    """Announces addresses by ARP and NDP. Make it inside a running event loop."""

    def __init__(
        self,
        metrics: SpeakerMetrics,
        options: Options | None = None,
        *,
        answer_ping: bool = True,
        is_cluster_mac: Callable[[bytes], bool] = lambda mac: False,
        tell: Callable[[Report], None] = lambda report: None,
    ) -> None:
        """`is_cluster_mac` knows the MAC addresses of the cluster's other speakers; `tell` gets what is found."""
        self._metrics = metrics
        self._tell = tell
        self._machine = Announcing(options or Options(), is_cluster_mac)
        self._loop: MachineLoop[Effect] = MachineLoop(self._machine, self._deliver)
        self._ports: dict[str, Port] = {}
        self._covers = {4: Cover(), 6: Cover()}
        self._narrowing: asyncio.TimerHandle | None = None
        self._kinds = [kind for kind in Kind if answer_ping or kind not in _ECHO_KINDS]
        self._series: dict[Address, _Series] = {}
        self._drops = {
            (kind, reason): metrics.dropped.labels(protocol=kind.value, reason=reason.value)
            for kind in self._kinds
            for reason in DropReason
        }
        self._local: dict[Address, tuple[float, bool]] = {}
        self._inquiries: dict[Address, dict[bytes, None]] = {}

    def apply(
        self,
        claims: Mapping[Address, frozenset[str] | None],
        *,
        fresh: Collection[Address] = (),
        forced: Collection[Address] = (),
    ) -> None:
        """Announce exactly these addresses, each on the interfaces named (None: all).

        A gained one, or one with other interfaces, gets a burst. Those of `fresh`, which nobody of the cluster has
        announced before, are probed first, and not announced while a stranger has them, unless they are in `forced`.
        """
        change = self._machine.apply(claims, fresh=fresh, forced=forced, now=self._loop.now)
        stale = self._cover(change.gained) | self._uncover(change.lost)
        for address in change.lost:
            self._forget(address)
        # Before anything is announced: who objects must be heard.
        self._refilter(stale)
        if change.gained or change.lost:
            self._narrow_later()
        for address in (*change.lost, *change.gained, *change.moved):
            self._relisten(address)
        self._settle()

    def announce_again(self, addresses: Iterable[Address]) -> None:
        """Tell the LAN again where these addresses are, as if they were gained now; others are left alone."""
        self._machine.announce_again(addresses, now=self._loop.now)
        self._settle()

    def set_links(self, links: Mapping[str, Link]) -> None:
        """Use exactly these interfaces, as far as they speak ARP. One that appears, or is plugged, gets bursts."""
        for name in [name for name, port in self._ports.items() if not port.serves(links.get(name))]:
            self._ports.pop(name).close()
            log.info("interface closed", extra=fields(interface=name))
        news = False
        for name, link in links.items():
            if link.speaks_arp:
                news = (self._update(link) if name in self._ports else self._open(link)) or news
        self._machine.set_interfaces(
            [port.interface for port in self._ports.values()],
            own_macs=[link.mac for link in links.values() if link.mac],
            news=news,
            now=self._loop.now,
        )
        self._settle()

    @property
    def interfaces(self) -> frozenset[str]:
        """Names of the interfaces that answer now."""
        return frozenset(self._ports)

    @property
    def probing(self) -> Set[Address]:
        """Claimed addresses that are not announced yet, as it is being asked whether another host has them."""
        return self._machine.probing

    @property
    def in_use(self) -> Set[Address]:
        """Claimed addresses that are not announced, as another host has them."""
        return self._machine.in_use

    async def who_has(
        self, addresses: Mapping[Address, frozenset[str] | None], seconds: float
    ) -> dict[Address, tuple[bytes, ...]]:
        """The MAC addresses of all who answer for addresses that are not announced here, other speakers included.

        Answers are awaited for `seconds`. Who is silent is asked for up to three times meanwhile, on the interfaces
        named (None: all): one frame may be lost.
        """
        asked = {address: interfaces for address, interfaces in addresses.items() if address not in self._inquiries}
        self._inquiries |= {address: {} for address in asked}
        self._refilter(self._cover(asked))
        try:
            for _ in range(PROBES):
                for address, interfaces in asked.items():
                    if not self._inquiries[address]:
                        self._machine.ask(address, interfaces, now=self._loop.now)
                self._settle()
                await asyncio.sleep(seconds / PROBES)
            return {address: tuple(self._inquiries[address]) for address in asked}
        finally:
            for address in asked:
                self._machine.stop_asking(address)
                del self._inquiries[address]
            self._refilter(self._uncover(address for address in asked if self._machine.claims.of(address) is None))

    def close(self) -> None:
        """Fall silent. No frame withdraws an address in ARP or NDP; the next owner's burst does."""
        self.apply({})
        self._loop.close()
        if self._narrowing is not None:
            self._narrowing.cancel()
        for port in self._ports.values():
            port.close()
        self._ports.clear()

    def _receive(self, port: Port, kind: Kind, frame: bytes) -> None:
        """Handle one frame received on `port`."""
        now = self._loop.now
        match kind:
            case Kind.ARP:
                answer = self._machine.receive_arp(frame, port.interface, now=now)
            case Kind.NDP:
                answer = self._machine.receive_ndp(frame, port.interface, now=now)
            case _:
                answer = self._machine.receive_echo(frame, port.interface, now=now)
                if not isinstance(answer, Dropped) and self._is_local(answer.address, now):
                    answer = Dropped(DropReason.KERNEL_ANSWERS)
        if isinstance(answer, Dropped):
            self._drops[kind, answer.reason].inc()
            if answer.reason is DropReason.RATE_LIMITED:
                port.pause(kind, self._machine.echo_wait(now=now))
            return
        sent = port.send(kind, answer.frame)
        # Somebody waits for the answer, nobody for the numbers.
        series = self._series.get(answer.address) or self._find_series(answer.address)
        is_ping = kind in _ECHO_KINDS
        if not is_ping:
            series.received.inc()
        if sent:
            (series.pings if is_ping else series.sent).inc()
            if log.isEnabledFor(logging.DEBUG):
                detail = fields(ip=str(answer.address), interface=port.link.name, protocol=kind.value)
                log.debug("request answered", extra=detail)

    def _settle(self) -> None:
        """Carry out what the machine wants, if anything."""
        if self._machine.has_news:
            self._loop.pump()

    def _deliver(self, effect: Effect) -> None:
        match effect:
            case SendFrame():
                self._send(effect)
            case Answered():
                if effect.address in self._inquiries:
                    self._inquiries[effect.address][effect.mac] = None
            case ConflictSeen():
                self._metrics.conflicts.labels(ip=str(effect.address)).inc()
                self._report(effect)
            case FoundInUse() | FoundFree():
                self._report(effect)

    def _report(self, report: Report) -> None:
        self._metrics.in_use_elsewhere.set(len(self.in_use))
        self._tell(report)

    def _send(self, effect: SendFrame) -> None:
        port = self._ports.get(effect.interface)
        kind = Kind.ARP if effect.address.version == 4 else Kind.NDP
        if port is None or not port.send(kind, effect.frame):
            return
        if effect.purpose is Purpose.PROBE:
            self._metrics.probes_sent.inc()
        else:
            series = self._series.get(effect.address) or self._find_series(effect.address)
            series.gratuitous.inc()

    def _open(self, link: Link) -> bool:
        try:
            port = Port(link, self._filters({4, 6}), self._receive, self._settle)
        except OSError as error:
            log.error("interface cannot be used", extra=fields(interface=link.name, error=str(error)))
            return False
        self._ports[link.name] = port
        self._narrow_later()
        self._listen_all(port)
        detail = fields(interface=link.name, mac=link.mac.hex(":"), ndp=port.interface.ipv6)
        log.info("interface answers ARP", extra=detail)
        return True

    def _update(self, link: Link) -> bool:
        """Whether it is news to the LAN behind the interface."""
        port = self._ports[link.name]
        # Whatever is behind a cable that was pulled may have been told of another owner meanwhile.
        news = link.has_carrier and not port.link.has_carrier
        had_ipv6 = port.interface.ipv6
        try:
            port.update(link)
        except OSError as error:
            log.error("interface cannot be used", extra=fields(interface=link.name, error=str(error)))
            self._ports.pop(link.name).close()
            return False
        if port.interface.ipv6 and not had_ipv6:
            self._listen_all(port)
            news = True
        return news

    def _listen_all(self, port: Port) -> None:
        for claim in self._machine.claims:
            self._listen(port, claim)

    def _listen(self, port: Port, claim: Claim) -> None:
        if claim.address.version == 6 and claim.allows(port.interface):
            port.listen(claim.address)

    def _relisten(self, address: Address) -> None:
        """Join and leave an address's group as its claim says."""
        if address.version == 4:
            return
        claim = self._machine.claims.of(address)
        for port in self._ports.values():
            if claim is not None and claim.allows(port.interface):
                port.listen(address)
            else:
                port.unlisten(address)

    def _filters(self, versions: Collection[int]) -> dict[Kind, Sequence[Range]]:
        return {
            kind: self._covers[version].ranges
            for kind in self._kinds
            if (version := 6 if kind in IPV6_KINDS else 4) in versions
        }

    def _cover(self, addresses: Iterable[Address]) -> set[int]:
        """Let the filters pass these; the IP versions whose filters are to be attached again."""
        return {address.version for address in addresses if self._covers[address.version].add(address.packed)}

    def _uncover(self, addresses: Iterable[Address]) -> set[int]:
        return {address.version for address in addresses if self._covers[address.version].remove(address.packed)}

    def _refilter(self, versions: Collection[int]) -> None:
        if versions:
            filters = self._filters(versions)
            for version in versions:
                self._covers[version].exact = False
            for port in self._ports.values():
                port.filter(filters)
            self._narrow_later()

    def _narrow_later(self) -> None:
        if self._narrowing is not None:
            self._narrowing.cancel()
        self._narrowing = asyncio.get_running_loop().call_later(_NARROW_SECONDS, self._narrow)

    def _narrow(self) -> None:
        """All nodes hear each question for any address of the cluster; let only its owner wake up.

        IPv6 asks by multicast groups, which do the same.
        """
        self._narrowing = None
        cover = self._covers[4]
        if not cover.has_strangers:
            return
        cover.exact = True
        words = cover.words
        for port in self._ports.values():
            port.narrow(Kind.ARP, words)

    def _is_local(self, address: Address, now: float) -> bool:
        checked, local = self._local.get(address, (float("-inf"), False))
        if now >= checked + _LOCAL_SECONDS:
            local = is_local(address)
            self._local[address] = (now, local)
        return local

    def _find_series(self, address: Address) -> _Series:
        metrics, ip = self._metrics, str(address)
        found = _Series(
            metrics.requests_received.labels(ip=ip),
            metrics.responses_sent.labels(ip=ip),
            metrics.gratuitous_sent.labels(ip=ip),
            metrics.pings_answered.labels(ip=ip),
        )
        self._series[address] = found
        return found

    def _forget(self, address: Address) -> None:
        """Drop the address's series, so that a cluster's whole past is not kept in memory."""
        self._local.pop(address, None)
        metrics, ip = self._metrics, str(address)
        families: tuple[Gauge | Counter, ...] = (metrics.conflicts,)
        if self._series.pop(address, None) is not None:
            families += (
                metrics.requests_received,
                metrics.responses_sent,
                metrics.gratuitous_sent,
                metrics.pings_answered,
            )
        for family in families:
            family.remove(ip)
