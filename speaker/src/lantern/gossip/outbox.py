# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What leaves a node: effects in order, datagrams with broadcasts in the room that is left in them."""

from __future__ import annotations

from random import Random

from lantern.gossip import packet, wire
from lantern.gossip.broadcasts import BroadcastQueue, transmit_limit
from lantern.gossip.config import GossipConfig
from lantern.gossip.effects import Dropped, Effect, SendDatagram
from lantern.gossip.endpoint import Endpoint
from lantern.gossip.faults import DropReason
from lantern.gossip.keyring import Keyring
from lantern.gossip.packet import PART_OVERHEAD_BYTES, Sealing
from lantern.gossip.wire import MessageType

_MAX_PARTS = 255
_CHECKSUM_PROTOCOL = 5


class Outbox:
    """The queue of effects and the queues of broadcasts."""

    def __init__(self, config: GossipConfig, rng: Random) -> None:
        self.sealing = Sealing(config.security, Keyring(config.security.keys), config.compress, rng)
        self.facts = BroadcastQueue()
        self.payloads = BroadcastQueue(config.limits.broadcasts)
        self.payloads_allowed = True
        self.members = 1
        """The size of the cluster, on which depends how often a broadcast is sent."""
        self._config = config
        self._effects: list[Effect] = []

    def emit(self, effect: Effect) -> None:
        self._effects.append(effect)

    def drop(self, reason: DropReason, source: Endpoint) -> None:
        self._effects.append(Dropped(reason, source))

    def drain(self) -> list[Effect]:
        effects, self._effects = self._effects, []
        return effects

    @property
    def room(self) -> int:
        """Bytes for messages in one datagram."""
        return packet.room(self.sealing, self._config.limits)

    @property
    def has_broadcasts(self) -> bool:
        return bool(self.facts) or (self.payloads_allowed and bool(self.payloads))

    def send(self, messages: list[wire.Message], to: Endpoint, *, newest_protocol: int = 0) -> None:
        """One datagram with these messages and as many broadcasts as fit beside them."""
        encoded = [wire.encode(message) for message in messages]
        if self.has_broadcasts:
            used = sum(len(message) + PART_OVERHEAD_BYTES for message in encoded)
            encoded += self._broadcasts(self.room - used)
        self._send(encoded, to, newest_protocol)

    def send_payload(self, data: bytes, to: Endpoint, *, newest_protocol: int) -> None:
        """One datagram with this application message alone."""
        self._send([bytes((MessageType.USER,)) + data], to, newest_protocol)

    def gossip(self, to: Endpoint, *, newest_protocol: int) -> None:
        """One datagram of broadcasts; nothing when none is queued."""
        encoded = self._broadcasts(self.room)
        if encoded:
            self._send(encoded, to, newest_protocol)

    def _send(self, encoded: list[bytes], to: Endpoint, newest_protocol: int) -> None:
        checksum = newest_protocol >= _CHECKSUM_PROTOCOL
        self.emit(SendDatagram(packet.seal(encoded[:_MAX_PARTS], self.sealing, checksum=checksum), to))

    def _broadcasts(self, room: int) -> list[bytes]:
        limit = transmit_limit(self._config.timing.retransmit_multiplier, self.members)
        picked = self.facts.pick(room, PART_OVERHEAD_BYTES, limit)
        if self.payloads_allowed and self.payloads:
            room -= sum(len(message) + PART_OVERHEAD_BYTES for message in picked)
            picked += self.payloads.pick(room, PART_OVERHEAD_BYTES, limit)
        return picked
