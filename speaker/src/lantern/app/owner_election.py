# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the failover machine: brings it what gossip, the API server, the kernel and the LAN say, and does what it wants.

See docs/failover.md for its rules.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from random import SystemRandom

from lantern.adapters.links import Link
from lantern.adapters.logs import fields
from lantern.adapters.machine_loop import MachineLoop
from lantern.adapters.rtnetlink import default_gateways
from lantern.announce.layer2 import Layer2Announcer
from lantern.app import failover_effects as effects
from lantern.app.failover import Failover, Options
from lantern.app.membership import Membership, is_lantern
from lantern.app.roster import Presence
from lantern.core.announce import Decision
from lantern.core.model import Snapshot
from lantern.core.outcome import Why
from lantern.core.requests import quoted
from lantern.core.vips import VipIndex
from lantern.gossip.members import Member, MemberState
from lantern.gossip.timers import Clock
from lantern.metrics import SpeakerMetrics
from lantern.pools import Address
from lantern.watch import effects as watched

log = logging.getLogger("lantern.failover")

# A timer that is later than this means that this process did not run: its sleep is nobody's silence.
_STALL_SECONDS = 0.03
# A little less than the time for which the watch awaits the LAN's answer.
_ASK_SECONDS = 0.36


class OwnerElection:
    """Who announces what, in force. `announce` gets every new decision. Make it inside a running event loop."""

    def __init__(
        self,
        node: str,
        options: Options,
        index: VipIndex,
        membership: Membership,
        announcer: Layer2Announcer,
        metrics: SpeakerMetrics,
        announce: Callable[[Decision], None],
    ) -> None:
        self.index = index
        self.machine = Failover(node, index, options, SystemRandom(), Clock(_STALL_SECONDS))
        self._loop: MachineLoop[effects.Effect] = MachineLoop(self.machine, self._deliver)
        self._membership = membership
        self._announcer = announcer
        self._metrics = metrics
        self._announce = announce
        self._asking: set[asyncio.Task[None]] = set()
        self._left = asyncio.Event()

    def start(self) -> None:
        """Begin to listen to the others."""
        self.machine.start(now=self._loop.now)
        self._loop.pump()

    def set_members(self, members: Iterable[Member]) -> None:
        """What gossip knows. Who has said goodbye is no member any more."""
        known = {member.name: _presence(member) for member in members if member.state is not MemberState.LEFT}
        self.machine.set_members(known, now=self._loop.now)
        self._loop.pump()

    def set_snapshot(self, snapshot: Snapshot, *, current: bool) -> None:
        """The cluster by the API server; `current`: the connection to it stands."""
        self.machine.set_snapshot(snapshot, current=current, now=self._loop.now)
        self._loop.pump()

    def set_links(self, links: Mapping[str, Link], *, addressed: bool) -> None:
        """This node's interfaces by name, and whether it has the address by which the others reach it."""
        usable = {name: link.mac for name, link in links.items() if link.speaks_arp and link.has_carrier}
        self.machine.set_interfaces(usable, present=links.keys(), addressed=addressed, now=self._loop.now)
        self._loop.pump()

    def set_in_use(self, addresses: Iterable[Address]) -> None:
        """Those that this node owns but does not announce, as a host outside the cluster has them."""
        self.machine.set_in_use(addresses, now=self._loop.now)
        self._loop.pump()

    def receive(self, name: str, data: bytes) -> None:
        """A message that another node has sent to this one."""
        self.machine.receive(name, data, now=self._loop.now)
        self._loop.pump()

    async def leave(self) -> None:
        """Hand everything over. The machine itself limits how long that takes."""
        self.machine.leave(now=self._loop.now)
        self._loop.pump()
        await self._left.wait()

    def close(self) -> None:
        """Stop."""
        self._loop.close()
        for task in self._asking:
            task.cancel()

    def owned(self, address: Address) -> bool:
        """Whether a speaker, this one or another, announces the address. By hash somebody always does."""
        vip = self.index.vip_of.get(address.packed)
        return vip is not None and (self.machine.by_hash or vip.key in self.machine.owners)

    def _deliver(self, effect: effects.Effect) -> None:
        match effect:
            case watched.Send(peer, data):
                self._membership.send(peer, data)
            case effects.Apply(decision):
                self._announce(decision)
            case effects.AnnounceAgain(addresses):
                self._announcer.announce_again(addresses)
            case effects.AskLan():
                task = asyncio.create_task(self._ask(effect))
                self._asking.add(task)
                task.add_done_callback(self._asking.discard)
            case effects.Accuse(peer):
                self._membership.accuse(peer)
            case effects.Left():
                self._left.set()
            case _:
                self._tell(effect)

    async def _ask(self, order: effects.AskLan) -> None:
        """Ask for the VIPs, and for the routers: where not even they answer it is this node that is cut off."""
        routers = {address: frozenset({interface}) for address, interface in default_gateways()}
        found = await self._announcer.who_has({**routers, **order.addresses}, _ASK_SECONDS)
        macs = {mac for address in order.addresses for mac in found.get(address, ())}
        linked = any(found.values()) if routers else None
        self.machine.lan_answered(order.peer, macs, linked=linked, now=self._loop.now)
        self._loop.pump()

    def _tell(self, effect: effects.Effect) -> None:
        """Log and count what was done or learned."""
        metrics = self._metrics
        match effect:
            case effects.Took(addresses, why, peer, cause, gap):
                named = cause.value if cause is not None else why.value
                if why is not Why.NEW:
                    metrics.takeovers.labels(cause=named).inc(len(addresses))
                if gap is not None:
                    metrics.takeover_seconds.observe(gap)
                detail = fields(ips=quoted(addresses), cause=named, before=peer, gap_seconds=_rounded(gap))
                log.info("owner of addresses now", extra=detail)
            case effects.GaveUp(addresses, why, peer):
                detail = fields(ips=quoted(addresses), cause=why.value, now=peer)
                log.info("not owner of addresses any more", extra=detail)
            case watched.Lost(peer, cause, silent):
                metrics.speakers_lost.labels(cause=cause.value).inc()
                log.warning("speaker lost", extra=fields(node=peer, cause=cause.value, silent_seconds=_rounded(silent)))
            case watched.HeldBack(peer, witness):
                metrics.held_back.labels(witness=witness.value).inc()
                log.info("silent speaker lives", extra=fields(node=peer, witness=witness.value))
            case watched.Back(peer):
                log.info("speaker is back", extra=fields(node=peer))
            case watched.Dropped(reason, _peer):
                metrics.gossip_dropped.labels(reason=reason.value).inc()
            case _:
                raise AssertionError(f"{effect} is nothing to tell")


def _presence(member: Member) -> Presence:
    if not member.present:
        return Presence.FAILED
    return Presence.SPEAKER if is_lantern(member) else Presence.FOREIGN


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
