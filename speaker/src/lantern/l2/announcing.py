# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Announcing by ARP and NDP, whole: what is answered, sent unasked, asked for, and noticed.

Composes the responder, the bursts, the probes and the conflict watch behind the verbs of every machine; the caller has
the sockets. An address goes from PROBING (if fresh) over IN_USE (if somebody has it) to ANNOUNCED.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Set
from dataclasses import dataclass
from enum import Enum
from functools import partial

from lantern.l2 import arp, ndp
from lantern.l2.bursts import REFRESH_SECONDS, Bursts
from lantern.l2.claims import Claim, Claims, Interface, Stage
from lantern.l2.conflicts import AskAround, ConflictSeen, ConflictWatch, Defend
from lantern.l2.probing import FoundFree, FoundInUse, Probing
from lantern.l2.responder import Dropped, DropReason, EchoResponder, Reply, answer_arp, answer_ndp
from lantern.l2.token_bucket import TokenBucket
from lantern.pools import Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How to announce."""

    refresh_seconds: float = REFRESH_SECONDS
    """An announced address is announced again this often; 0: never."""
    probe_seconds: float = 0.5
    """For so long a fresh address is asked for before it is announced; 0: not at all."""
    pings_per_second: int = 1000
    """Echo requests answered, all addresses together; as many as Linux answers by default."""


class Purpose(Enum):
    """Why a frame is sent unasked."""

    ANNOUNCE = "announce"
    REFRESH = "refresh"
    DEFEND = "defend"
    PROBE = "probe"


@dataclass(frozen=True, slots=True)
class SendFrame:
    """Send `frame` about `address` on the interface: ARP for IPv4, NDP for IPv6."""

    interface: str
    frame: bytes
    address: Address
    purpose: Purpose


@dataclass(frozen=True, slots=True)
class Answered:
    """The host with this MAC address (6 bytes), perhaps another speaker of the cluster, has the address asked for."""

    address: Address
    mac: bytes
    interface: str


Effect = SendFrame | ConflictSeen | FoundInUse | FoundFree | Answered


@dataclass(frozen=True, slots=True)
class Change:
    """What `apply` changed."""

    gained: tuple[Address, ...]
    lost: tuple[Address, ...]
    moved: tuple[Address, ...]
    """To other interfaces."""


class Announcing:
    """The machine. Feed it frames, interfaces and claims; send and tell what it drains."""

    def __init__(self, options: Options, is_cluster_mac: Callable[[bytes], bool] = lambda mac: False) -> None:
        """`is_cluster_mac` knows the MAC addresses (6 bytes) of the cluster's other speakers: they are no strangers."""
        self._options = options
        self._is_cluster_mac = is_cluster_mac
        self._wanted: dict[Address, frozenset[str] | None] = {}
        self._claims = Claims()
        self._asked = Claims()
        self._interfaces: dict[str, Interface] = {}
        self._own_macs: frozenset[bytes] = frozenset()
        self._bursts = Bursts(options.refresh_seconds)
        self._probing = Probing(options.probe_seconds)
        self._watch = ConflictWatch()
        self._echo = EchoResponder(self._claims, TokenBucket(rate=options.pings_per_second, burst=100))
        self._effects: list[Effect] = []
        self._unlearned: list[Callable[[], None]] = []
        """What received frames tell beyond what they ask."""
        self.in_use: set[Address] = set()
        """Those that are not announced, as somebody else has them; to be read only."""
        self.has_news = False
        """Whether the caller is to drain, and to ask for the next timer again."""

    @property
    def probing(self) -> Set[Address]:
        """Those that are not announced yet, as it is being asked whether somebody else has them."""
        return self._probing.addresses - self.in_use

    @property
    def claims(self) -> Claims:
        """All addresses, to be read only."""
        return self._claims

    def apply(
        self,
        claims: Mapping[Address, frozenset[str] | None],
        *,
        fresh: Collection[Address] = (),
        forced: Collection[Address] = (),
        now: float,
    ) -> Change:
        """Announce exactly these addresses, each on the interfaces named (None: all).

        Those of `fresh` are probed before, when they are gained, unless they are in `forced`, whose addresses are
        announced whoever else has them.
        """
        wanted, before = dict(claims), self._wanted
        self._wanted = wanted
        change = _difference(before, wanted)
        for address in change.lost:
            self._claims.remove(address)
            self.in_use.discard(address)
            for part in (self._bursts, self._probing, self._watch):
                part.stop(address)
        for address in change.gained:
            claim = Claim(address, wanted[address], Stage.PROBING)
            self._claims.add(claim)
            if address in fresh and address not in forced and self._options.probe_seconds > 0:
                self._probing.start(address, now=now)
            else:
                self._announce(claim, now)
        for address in change.moved:
            self._move(address, now)
        for address in forced:
            waiting = self._claims.of(address)
            if waiting is not None and waiting.stage is not Stage.ANNOUNCED:
                self._probing.stop(address)
                self._announce(waiting, now)
        self._collect(now)
        return change

    def announce_again(self, addresses: Iterable[Address], *, now: float) -> None:
        """Send a burst for these, those of them that are announced: somebody else has told the LAN otherwise."""
        for address in addresses:
            claim = self._claims.of(address)
            if claim is not None and claim.stage is Stage.ANNOUNCED:
                self._bursts.start(address, now=now)
        self._collect(now)

    def set_interfaces(
        self, interfaces: Iterable[Interface], *, own_macs: Collection[bytes], news: bool, now: float
    ) -> None:
        """Use exactly these; `own_macs` are those of this node. `news`: one is new, or its cable was plugged in."""
        self._interfaces = {interface.name: interface for interface in interfaces}
        self._own_macs = frozenset(own_macs)
        if news:
            for claim in self._claims:
                if claim.stage is Stage.ANNOUNCED:
                    self._bursts.start(claim.address, now=now)
            self._collect(now)

    def ask(self, address: Address, interfaces: frozenset[str] | None, *, now: float) -> None:
        """Send a probe for an address that is not announced here; who answers is told until `stop_asking`."""
        claim = Claim(address, interfaces, Stage.PROBING)
        self._asked.add(claim)
        self._send(claim, Purpose.PROBE)
        self._collect(now)

    def stop_asking(self, address: Address) -> None:
        """Tell of no more answers."""
        self._asked.remove(address)

    def receive_arp(self, frame: bytes, interface: Interface, *, now: float) -> Reply | Dropped:
        """The answer to an Ethernet frame of ARP. What it tells besides is learned at `drain`: somebody waits."""
        packet = arp.decode(frame)
        if packet is None:
            return Dropped(DropReason.MALFORMED)
        if packet.source in self._own_macs:
            return Dropped(DropReason.OWN_FRAME)
        answer = answer_arp(self._claims, packet, interface)
        self._later(partial(self._learn_arp, packet, interface, answer, now))
        return answer

    def receive_ndp(self, frame: bytes, interface: Interface, *, now: float) -> Reply | Dropped:
        """The answer to an Ethernet frame of IPv6, as `receive_arp`."""
        packet = ndp.decode(frame)
        if packet is None:
            return Dropped(DropReason.MALFORMED)
        if packet.source_mac in self._own_macs:
            return Dropped(DropReason.OWN_FRAME)
        answer = (
            Dropped(DropReason.NOT_A_REQUEST)
            if isinstance(packet, ndp.Advertisement)
            else answer_ndp(self._claims, packet, interface)
        )
        self._later(partial(self._learn_ndp, packet, interface, answer, now))
        return answer

    def receive_echo(self, frame: bytes, interface: Interface, *, now: float) -> Reply | Dropped:
        """Handle an Ethernet frame of ICMP or ICMPv6."""
        return self._echo.answer(frame, interface, now=now)

    def echo_wait(self, *, now: float) -> float:
        """Seconds until echo requests are answered again, 0 when they are now."""
        return self._echo.wait(now=now)

    def handle_timer(self, *, now: float) -> None:
        """Do what is due."""
        for part in (self._bursts, self._probing, self._watch):
            part.handle_timer(now=now)
        self._collect(now)

    def next_timer(self) -> float | None:
        """When `handle_timer` is to be called next; None while nothing is running."""
        timers = (self._bursts.next_timer(), self._probing.next_timer(), self._watch.next_timer())
        return min((due for due in timers if due is not None), default=None)

    def drain(self) -> list[Effect]:
        """The queued effects, once, after having learned from what was received."""
        unlearned, self._unlearned = self._unlearned, []
        for learn in unlearned:
            learn()
        self.has_news = False
        effects, self._effects = self._effects, []
        return effects

    def _later(self, learn: Callable[[], None]) -> None:
        self._unlearned.append(learn)
        self.has_news = True

    def _learn_arp(self, packet: arp.ArpFrame, interface: Interface, answer: Reply | Dropped, now: float) -> None:
        if packet.sender_ip != arp.UNSPECIFIED:
            self._sighted(packet.sender_ip, packet.sender_mac, interface, probes=False, now=now)
            # A probe is no client's question, and two nodes must not probe because the other one does.
            if isinstance(answer, Reply) and packet.destination == arp.BROADCAST:
                self._requested(answer.address, now)
        elif packet.operation == arp.REQUEST:
            self._sighted(packet.target_ip, packet.sender_mac, interface, probes=True, now=now)

    def _learn_ndp(
        self,
        packet: ndp.Advertisement | ndp.Solicitation,
        interface: Interface,
        answer: Reply | Dropped,
        now: float,
    ) -> None:
        if isinstance(packet, ndp.Solicitation) and packet.source == ndp.UNSPECIFIED:
            self._sighted(packet.target, packet.source_mac, interface, probes=True, now=now)
            return
        address = packet.target if isinstance(packet, ndp.Advertisement) else packet.source
        self._sighted(address, packet.link_address or packet.source_mac, interface, probes=False, now=now)
        if isinstance(answer, Reply) and packet.destination[0] == 0xFF:
            self._requested(answer.address, now)

    def _announce(self, claim: Claim, now: float) -> None:
        claim.stage = Stage.ANNOUNCED
        self.in_use.discard(claim.address)
        self._bursts.start(claim.address, now=now)

    def _move(self, address: Address, now: float) -> None:
        claim = self._claims.of(address)
        assert claim is not None
        claim.interfaces = self._wanted[address]
        if claim.stage is Stage.ANNOUNCED:
            self._bursts.start(address, now=now)

    def _sighted(self, address: bytes, mac: bytes, interface: Interface, *, probes: bool, now: float) -> None:
        """Somebody says to have the address, or (`probes`) asks in order to take it.

        Who probes for an announced address is answered and so keeps away: no conflict.
        """
        if not probes and (question := self._asked.get(address)) is not None and mac not in self._own_macs:
            self._effects.append(Answered(question.address, mac, interface.name))
            self.has_news = True
        claim = self._claims.get(address)
        if claim is None or not claim.allows(interface) or mac in self._own_macs or self._is_cluster_mac(mac):
            return
        if claim.stage is not Stage.ANNOUNCED:
            self._probing.answered(claim.address, mac, interface.name, now=now)
        elif not probes:
            self._watch.sighted(claim.address, mac, interface.name, now=now)
        self._collect(now)

    def _requested(self, address: Address, now: float) -> None:
        # It may have been taken away since the question.
        if address in self._wanted and self._watch.requested(address, now=now):
            self._collect(now)

    def _collect(self, now: float) -> None:
        """Turn the parts' effects into this machine's."""
        self.has_news = True
        for found in self._probing.drain():
            claim = self._claims.of(found.address)
            assert claim is not None
            match found:
                case FoundFree():
                    self._announce(claim, now)
                    self._effects.append(found)
                case FoundInUse():
                    claim.stage = Stage.IN_USE
                    self.in_use.add(claim.address)
                    self._effects.append(found)
                case _:
                    self._send(claim, Purpose.PROBE)
        for seen in self._watch.drain():
            claim = self._claims.of(seen.address)
            assert claim is not None
            match seen:
                case ConflictSeen():
                    self._effects.append(seen)
                case Defend():
                    self._send(claim, Purpose.DEFEND, seen.interface)
                case AskAround():
                    self._send(claim, Purpose.PROBE)
        for burst in self._bursts.drain():
            claim = self._claims.of(burst.address)
            assert claim is not None
            self._send(claim, Purpose.REFRESH if burst.refresh else Purpose.ANNOUNCE)

    def _send(self, claim: Claim, purpose: Purpose, only: str | None = None) -> None:
        for interface in self._interfaces.values():
            if claim.allows(interface) and only in (None, interface.name):
                for frame in _frames(claim.address, interface.mac, purpose):
                    self._effects.append(SendFrame(interface.name, frame, claim.address, purpose))


def _difference(
    before: Mapping[Address, frozenset[str] | None], wanted: Mapping[Address, frozenset[str] | None]
) -> Change:
    """One look at each address: with thousands of them, that is what costs."""
    gained: list[Address] = []
    moved: list[Address] = []
    nowhere: frozenset[str] = frozenset()
    for address, interfaces in wanted.items():
        known = before.get(address, nowhere)
        if known is nowhere and address not in before:
            gained.append(address)
        elif known != interfaces:
            moved.append(address)
    everything_stays = len(before) == len(wanted) - len(gained)
    lost = () if everything_stays else tuple(address for address in before if address not in wanted)
    return Change(tuple(gained), lost, tuple(moved))


def _frames(address: Address, mac: bytes, purpose: Purpose) -> tuple[bytes, ...]:
    """What is sent about an address for a purpose. A reminder is one frame: all wake up for it."""
    if address.version == 6:
        return (ndp.probe(address.packed, mac) if purpose is Purpose.PROBE else ndp.unsolicited(address.packed, mac),)
    if purpose is Purpose.PROBE:
        return (arp.probe(address.packed, mac),)
    both = arp.gratuitous(address.packed, mac)
    return both[:1] if purpose is Purpose.REFRESH else both
