# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The watch: probes speakers, spreads bulletins, and holds a speaker for lost only when nobody speaks for it.

A speaker that is silent (see `patience`) is suspected: all others are told, and each that does not hear it either asks
for itself. Meanwhile the LAN is asked whether it still answers for its VIPs. An answer from there, or another speaker
that hears it, holds this node back. A node that hears nobody at all holds itself for cut off, and waits longer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from random import Random
from typing import Protocol

from lantern.tenure import Bulletin
from lantern.watch import messages
from lantern.watch.effects import (
    AskWire,
    Back,
    Cause,
    Dropped,
    DropReason,
    Effect,
    HeldBack,
    Lost,
    Offered,
    Send,
    Told,
    Witness,
)
from lantern.watch.messages import Answer, BrokenMessageError, Delta, Offer, Page, Probe, Report, Stamp, Suspicion
from lantern.watch.options import Options
from lantern.watch.partners import partners
from lantern.watch.peer import Inquiry, Peer, Status
from lantern.watch.publication import Publication

_NEVER = float("inf")
_ROUNDING_SECONDS = 1e-6
_GREETING_SECONDS = 5.0
"""A new speaker may know of this one a little later than this one of it."""
_OPENING_SECONDS = 1.0
"""The first frames to a host that was away wait until the kernels have found each other's MAC addresses."""


class LivedClock(Protocol):
    """Turns the caller's time into time in which this process ran; `gossip.timers.Clock` is one."""

    def lived(self, now: float, next_due: float | None) -> float: ...

    def outside(self, lived: float) -> float: ...


class Watch:
    """The machine; see the package for its verbs."""

    def __init__(self, me: str, options: Options, rng: Random, clock: LivedClock) -> None:
        self._me = me
        self._options = options
        self._rng = rng
        self._clock = clock
        self._skipped: float | None = None
        self._latest = 0.0
        self._earliest: float | None = None
        self._next: Peer | None = None
        """Who is due then."""
        self._peers: dict[str, Peer] = {}
        # Not from 0, so that nobody who cannot see the probes can forge answers.
        self._number = rng.getrandbits(32)
        self._publication = Publication(rng.getrandbits(32) | 1)
        self._offers: Mapping[str, tuple[tuple[bytes, int], ...]] = {}
        self._offer_at = _NEVER
        self._effects: list[Effect] = []

    # What the caller tells.

    def set_peers(self, names: Iterable[str], *, now: float) -> None:
        """Watch exactly these speakers, those included that gossip holds for dead but that may come back."""
        now = self._lived(now)
        wanted = set(names) - {self._me}
        for name in self._peers.keys() - wanted:
            del self._peers[name]
        self._earliest = None
        for name in sorted(wanted - self._peers.keys()):
            self._peers[name] = Peer(name, now, now)
        self._share_the_work()

    def publish(self, bulletin: Bulletin, *, now: float) -> None:
        """Tell all speakers this of this node, now and until they have it. Equal ones are told once."""
        now = self._lived(now)
        if self._publication.publish(bulletin):
            self._earliest = None
            for peer in self._peers.values():
                if peer.status is not Status.UNKNOWN:
                    peer.pushes = 0
                    self._push(peer, now)

    def set_offers(self, offers: Mapping[str, tuple[tuple[bytes, int], ...]], *, now: float) -> None:
        """Ask exactly these nodes to own these VIPs, again and again until told otherwise."""
        now = self._lived(now)
        if offers != self._offers:
            self._offers = dict(offers)
            self._offer(now)

    def condemn(self, name: str, *, now: float) -> None:
        """Memberlist holds the speaker for dead. Looked into at once, if it has not been heard just now."""
        now = self._lived(now)
        peer = self._peers.get(name)
        self._earliest = None
        recently = 2 * self._options.slow_seconds
        if peer is not None and peer.status is Status.ALIVE and now - peer.heard > recently:
            self._suspect(peer, Cause.GOSSIP, now)

    def wire(self, name: str, *, answered: bool, linked: bool | None = None, now: float) -> None:
        """What the LAN says to AskWire: whether the speaker answered for a VIP, and whether anybody was heard at all
        (None: nobody who must be there was asked).
        """
        now = self._lived(now)
        peer = self._peers.get(name)
        if peer is None or peer.inquiry is None:
            return
        self._earliest = None
        if answered:
            self._hold_back(peer, Witness.WIRE, now)
            return
        peer.inquiry.wire_is_silent = True
        if not peer.inquiry.linked:
            peer.inquiry.linked = linked

    # What the caller may look at.

    @property
    def speakers(self) -> dict[str, Bulletin]:
        """The bulletins of all other speakers that are alive."""
        return {
            peer.name: peer.subscription.bulletin
            for peer in self._peers.values()
            if peer.confirmed
            and peer.subscription.bulletin is not None
            and peer.status in (Status.ALIVE, Status.SUSPECT)
        }

    @property
    def hears(self) -> int:
        """How many other speakers are alive without any doubt."""
        return sum(peer.status is Status.ALIVE for peer in self._peers.values())

    def bulletin(self, name: str) -> Bulletin | None:
        """What a speaker said last, alive or not."""
        peer = self._peers.get(name)
        return peer.subscription.bulletin if peer is not None else None

    def status(self, name: str) -> Status | None:
        """None for who is not watched."""
        peer = self._peers.get(name)
        return peer.status if peer is not None else None

    def round_trip_seconds(self, name: str) -> float | None:
        """To a speaker and back, smoothed; None when it was not measured."""
        peer = self._peers.get(name)
        return peer.patience.round_trip_seconds if peer is not None else None

    # The verbs of the machine.

    def receive(self, name: str, data: bytes, *, now: float) -> None:
        """A datagram from a node."""
        now = self._lived(now)
        peer = self._peers.get(name)
        if peer is None:
            self._effects.append(Dropped(DropReason.UNKNOWN_PEER, name))
            return
        try:
            message = messages.decode(data)
        except BrokenMessageError:
            self._effects.append(Dropped(DropReason.MALFORMED, name))
            return
        self._hear(peer, now)
        match message:
            case Probe(number, stamp):
                self._probed(peer, number, stamp, now)
            case Answer(number, stamp):
                self._answered(peer, number, stamp, now)
            case Page():
                if peer.subscription.take_page(message, now=now):
                    self._took_bulletin(peer)
                elif message.edition == peer.subscription.edition:
                    self._acknowledge(peer)
            case Delta():
                if peer.subscription.take_delta(message, now=now):
                    self._took_bulletin(peer)
                else:
                    # An acknowledgement was lost: without another one the peer goes on to send what does not fit.
                    self._acknowledge(peer)
            case Suspicion(subject, silent_seconds):
                self._asked_about(peer, subject, silent_seconds, now)
                self._earliest = None
            case Report(subject, heard):
                self._reported(subject, heard, now)
                self._earliest = None
            case Offer(vips):
                self._effects.append(Offered(name, vips))
        if peer is self._next:
            # Mostly it has answered in time: nobody needs to wake up to see that nothing is overdue.
            self._earliest = None
        elif self._earliest is not None and (due := self._peer_due(peer, now)) < self._earliest:
            self._earliest, self._next = due, peer

    def handle_timer(self, *, now: float) -> None:
        """Do what is due."""
        now = self._lived(now)
        if self._earliest is None or self._earliest <= now:
            for peer in list(self._peers.values()):
                if self._peer_due(peer, now) <= now:
                    self._attend(peer, now)
            self._earliest = None
        if self._offer_at <= now:
            self._offer(now)

    def next_timer(self) -> float | None:
        """When `handle_timer` is to be called next."""
        due = self._due()
        return None if due is None else self._clock.outside(due)

    def drain(self) -> list[Effect]:
        """The queued effects, once."""
        effects, self._effects = self._effects, []
        return effects

    # Time.

    def _due(self) -> float | None:
        """The earliest time at which there may be something to do.

        An event that concerns one peer makes it due earlier, or later: that is looked into if it was the next one.
        """
        if self._earliest is None:
            self._earliest, self._next = _NEVER, None
            for peer in self._peers.values():
                due = self._peer_due(peer, self._latest)
                if due < self._earliest:
                    self._earliest, self._next = due, peer
        due = min(self._earliest, self._offer_at)
        return due if due < _NEVER else None

    def _peer_due(self, peer: Peer, now: float) -> float:
        return peer.due(now, self._options.step_seconds)

    def _lived(self, now: float) -> float:
        due = self._due()
        lived = self._clock.lived(now, due)
        if due is not None and 0 < due - lived < _ROUNDING_SECONDS:
            # Or a timer would be due and not due for ever.
            lived = due
        self._latest = lived
        skipped = now - lived
        if self._skipped is not None and skipped - self._skipped >= self._options.asleep_seconds:
            # Others may have followed this node meanwhile: ask before the clients do.
            for peer in self._peers.values():
                peer.probe_at = lived
                peer.pushes = 0
            self._earliest = None
        self._skipped = skipped
        return lived

    # Probing.

    def _attend(self, peer: Peer, now: float) -> None:
        if peer.push_at <= now:
            self._push(peer, now)
        if min(peer.probe_at, peer.hurries_at(now, self._options.step_seconds)) <= now:
            self._probe(peer, now)
        if peer.status is Status.ALIVE and peer.silence_at() <= now:
            self._suspect(peer, Cause.SILENCE, now)
            silent = now - peer.unanswered[0]
            for other in self._peers.values():
                if other is not peer and other.status is Status.ALIVE:
                    self._send(other, messages.encode_suspicion(peer.name, silent))
        if peer.inquiry is not None and peer.inquiry.due <= now:
            self._conclude(peer, now)

    def _probe(self, peer: Peer, now: float) -> None:
        peer.settle_outstanding(now)
        self._number = (self._number + 1) & 0xFFFFFFFF or 1
        peer.outstanding[self._number] = now
        peer.unanswered.append(now)
        peer.sent = now
        peer.probe_at = now + self._pace(peer, now) * self._rng.uniform(0.95, 1.05)
        self._send(peer, messages.encode_probe(Probe(self._number, self._stamp(peer))))

    def _pace(self, peer: Peer, now: float) -> float:
        """Seconds until the next probe, if the peer answers.

        A probe of one is a sign of life for the other as well: two that are close take turns, and a node
        leaves its turn to the other for a quarter of an interval.
        """
        fast = self._options.interval_seconds
        if peer.status is Status.LOST and now - peer.lost_at > self._options.seek_seconds:
            return 2 * fast
        if peer.status is Status.UNKNOWN and now - peer.named < _GREETING_SECONDS:
            return fast
        if peer.status is Status.UNKNOWN or not peer.close:
            return max(self._options.slow_seconds, fast * len(self._peers))
        return 1.25 * fast if now - peer.probed_us < 2.5 * fast else fast

    def _probed(self, peer: Peer, number: int, stamp: Stamp, now: float) -> None:
        peer.probed_us = now
        if peer.close and peer.status is Status.ALIVE:
            peer.probe_at = now + self._options.interval_seconds
        self._send(peer, messages.encode_probe(Answer(number, self._stamp(peer))))
        self._compare(peer, stamp, now)

    def _answered(self, peer: Peer, number: int, stamp: Stamp, now: float) -> None:
        sent = peer.outstanding.pop(number, None)
        if sent is not None:
            peer.patience.answered(now - sent, way_is_open=sent >= peer.met + _OPENING_SECONDS)
        self._compare(peer, stamp, now)

    def _hear(self, peer: Peer, now: float) -> None:
        """Something came from the peer itself."""
        peer.heard = now
        peer.unanswered.clear()
        peer.urgent = False
        peer.held = 0
        peer.held_until = -_NEVER
        peer.inquiry = None
        before, peer.status = peer.status, Status.ALIVE
        if before in (Status.LOST, Status.UNKNOWN):
            peer.probe_at = peer.met = now
            self._share_the_work()
            if before is Status.LOST:
                # Its absence says nothing about how many frames get lost on the way.
                peer.outstanding.clear()
                self._effects.append(Back(peer.name))
        for asker, until in peer.askers.items():
            if until > now:
                self._send_to(asker, messages.encode_report(peer.name, heard=True))
        peer.askers.clear()

    # Bulletins.

    def _stamp(self, peer: Peer) -> Stamp:
        return Stamp(self._publication.edition, peer.subscription.edition)

    def _compare(self, peer: Peer, stamp: Stamp, now: float) -> None:
        """Bring the peer what it lacks, and see whether what is here of it still holds."""
        mine = peer.subscription
        confirmed = stamp.own == mine.edition and mine.bulletin is not None
        if confirmed and not peer.confirmed or (peer.confirmed and stamp.own.boot != mine.edition.boot):
            # Known before it was lost and still true; or it has started anew and holds nothing of what it held.
            peer.confirmed = confirmed
            self._effects.append(Told(peer.name))
        peer.known = stamp.seen
        if stamp.seen == self._publication.edition:
            peer.push_at, peer.pushes = _NEVER, 0
        elif now - peer.pushed >= peer.patience.timeout_seconds:
            self._push(peer, now)

    def _took_bulletin(self, peer: Peer) -> None:
        peer.confirmed = True
        self._effects.append(Told(peer.name))
        self._acknowledge(peer)

    def _acknowledge(self, peer: Peer) -> None:
        """Tell the peer which of its bulletins is here."""
        self._send(peer, messages.encode_probe(Answer(0, self._stamp(peer))))

    def _push(self, peer: Peer, now: float) -> None:
        for data in self._publication.bring(peer.known, now=now):
            self._send(peer, data)
        peer.pushed = now
        peer.pushes += 1
        # What is still missing then will show in the stamps of the next probes.
        again = max(2 * peer.patience.timeout_seconds, 0.05)
        peer.push_at = now + again if peer.pushes < 5 and peer.status is Status.ALIVE else _NEVER

    def _offer(self, now: float) -> None:
        for name, vips in self._offers.items():
            for data in messages.encode_offers(vips):
                self._send_to(name, data)
        slowest = max((self._timeout(name) for name in self._offers), default=0.0)
        self._offer_at = now + max(2 * slowest, 0.05) if self._offers else _NEVER

    def _timeout(self, name: str) -> float:
        peer = self._peers.get(name)
        return peer.patience.timeout_seconds if peer is not None else 0.0

    # Silence.

    def _suspect(self, peer: Peer, cause: Cause, now: float) -> None:
        """Ask whoever may speak for it, and ask it itself as often as it takes."""
        peer.status = Status.SUSPECT
        peer.inquiry = Inquiry(now, cause, now + self._options.inquiry_seconds)
        if cause is Cause.SILENCE and not peer.close:
            # Only its answers are heard here, after both ways, while those who watch it closely hear its probes, too.
            peer.inquiry.due += self._options.inquiry_seconds
        peer.urgent = True
        peer.probe_at = min(peer.probe_at, max(now, peer.sent + self._options.step_seconds))
        self._effects.append(AskWire(peer.name))

    def _asked_about(self, asker: Peer, subject: str, silent_seconds: float, now: float) -> None:
        """Another speaker does not hear somebody."""
        if subject == self._me:
            self._send(asker, messages.encode_report(subject, heard=True))
            return
        peer = self._peers.get(subject)
        if peer is None or peer.status is Status.UNKNOWN:
            return
        heard = now - peer.heard < silent_seconds / 2
        self._send(asker, messages.encode_report(subject, heard))
        if heard or peer.status is Status.LOST:
            return
        peer.askers[asker.name] = now + 4 * self._options.inquiry_seconds
        if peer.status is Status.ALIVE and peer.held_until <= now:
            self._suspect(peer, Cause.TOLD, now)
        elif peer.inquiry is not None:
            self._doubted_by_others(peer.inquiry, now)

    def _reported(self, subject: str, heard: bool, now: float) -> None:
        peer = self._peers.get(subject)
        if peer is None or peer.inquiry is None:
            return
        if heard:
            self._hold_back(peer, Witness.SPEAKER, now)
        else:
            peer.inquiry.linked = True
            self._doubted_by_others(peer.inquiry, now)

    def _doubted_by_others(self, inquiry: Inquiry, now: float) -> None:
        inquiry.due = min(inquiry.due, now + self._options.inquiry_seconds)

    def _hold_back(self, peer: Peer, witness: Witness, now: float) -> None:
        pause = min(self._options.hold_back_seconds * 2.0**peer.held, 8 * self._options.hold_back_seconds)
        peer.held += 1
        peer.held_until = now + pause
        peer.status, peer.inquiry = Status.ALIVE, None
        peer.askers.clear()
        peer.urgent = False
        self._effects.append(HeldBack(peer.name, witness))

    def _conclude(self, peer: Peer, now: float) -> None:
        """Nobody has spoken for the speaker in time: lost, unless it is this node that is cut off."""
        inquiry = peer.inquiry
        assert inquiry is not None
        if not inquiry.wire_is_silent and now < inquiry.began + self._options.wire_seconds:
            inquiry.due = min(now + self._options.step_seconds, inquiry.began + self._options.wire_seconds)
            return
        if peer.silence_at() > now:
            inquiry.due = min(now + self._options.step_seconds, peer.silence_at())
            return
        cut_off = inquiry.began + self._options.isolation_seconds
        if not self._hears_somebody(peer, inquiry, now) and now < cut_off:
            inquiry.due = min(now + self._options.step_seconds, cut_off)
            return
        peer.status, peer.inquiry, peer.lost_at = Status.LOST, None, now
        peer.confirmed = False
        peer.askers.clear()
        peer.urgent = False
        self._share_the_work()
        self._effects.append(Lost(peer.name, inquiry.cause, now - peer.heard))

    def _hears_somebody(self, peer: Peer, inquiry: Inquiry, now: float) -> bool:
        if inquiry.linked:
            return True
        others = [other for other in self._peers.values() if other is not peer and other.status is not Status.UNKNOWN]
        if all(other.status is Status.LOST for other in others):
            # There is nobody else. Of two nodes neither knows which one is cut off, unless the LAN tells.
            return inquiry.linked is not False
        return any(other.heard >= inquiry.began for other in others)

    # Who watches whom.

    def _share_the_work(self) -> None:
        lost = {peer.name for peer in self._peers.values() if peer.status is Status.LOST}
        close = partners(self._me, self._peers, lost=lost, watchers=self._options.watchers)
        for peer in self._peers.values():
            peer.close = peer.name in close

    def _send(self, peer: Peer, data: bytes) -> None:
        self._effects.append(Send(peer.name, data))

    def _send_to(self, name: str, data: bytes) -> None:
        if name in self._peers:
            self._effects.append(Send(name, data))
