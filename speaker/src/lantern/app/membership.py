# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""This speaker among the others: runs gossip, keeps its key up to date, and tells who is there."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from random import SystemRandom
from typing import Any

from lantern.adapters.gossip_net import GossipNet
from lantern.adapters.logs import fields
from lantern.core import key_rotation
from lantern.core.model import Node
from lantern.gossip import effects
from lantern.gossip.config import GossipConfig, Security
from lantern.gossip.endpoint import Endpoint
from lantern.gossip.keyring import metallb_key
from lantern.gossip.members import Member
from lantern.metrics import SpeakerMetrics
from lantern.settings import GossipSettings

log = logging.getLogger("lantern.gossip")

CAPABILITY = b"lantern/1"
"""Beginning of the meta of speakers that understand what Lantern's speakers tell each other."""
_KEY_FILE = "secretkey"
_KEY_POLL_SECONDS = 5.0
_LEAVE_SECONDS = 1.0
_MEETING_SECONDS = 5.0


def is_lantern(member: Member) -> bool:
    """Whether the member understands what Lantern's speakers tell each other."""
    return member.meta.startswith(CAPABILITY)


def read_key(folder: str) -> bytes | None:
    """The key that all speakers share, as MetalLB derives it; None when there is none."""
    try:
        secret = (Path(folder) / _KEY_FILE).read_bytes() if folder else b""
    except OSError:
        return None
    return metallb_key(secret) if secret else None


class Membership:
    """Gossip as long as `run` runs. `on_event` gets what the node learns; `members` is who is known."""

    def __init__(
        self, settings: GossipSettings, name: str, metrics: SpeakerMetrics, on_event: Callable[[effects.Event], None]
    ) -> None:
        self._settings = settings
        self._name = name
        self._metrics = metrics
        self._on_event = on_event
        self._keys = key_rotation.first(read_key(settings.secret_folder))
        self._left = asyncio.Event()
        self._met = False
        self._began: float | None = None
        self._seeds: frozenset[Endpoint] = frozenset()
        self.net: GossipNet | None = None

    async def run(self) -> None:
        """For ever. Raises OSError when the port is taken or the address is not this host's."""
        if not self._keys.in_use:
            log.warning("gossip is not encrypted: there is no key", extra=fields(folder=self._settings.secret_folder))
        address = ipaddress.ip_address(self._settings.bind_address)
        config = GossipConfig(
            name=self._name,
            address=address.packed,
            port=self._settings.bind_port,
            meta=CAPABILITY,
            capability=CAPABILITY,
            security=Security(keys=self._keys.in_use, label=self._settings.label.encode()),
        )
        async with GossipNet(config, SystemRandom(), self._event) as net:
            self.net = net
            self._began = asyncio.get_running_loop().time()
            net.set_seeds(self._seeds)
            log.info("gossip runs", extra=fields(address=str(address), port=self._settings.bind_port))
            while True:
                await asyncio.sleep(_KEY_POLL_SECONDS)
                self._rotate(net)

    async def leave(self) -> None:
        """Say goodbye, so that the others need not find out."""
        if self.net is not None:
            self.net.leave()
            try:
                async with asyncio.timeout(_LEAVE_SECONDS):
                    await self._left.wait()
            except TimeoutError:
                log.warning("left without everybody knowing")

    def send(self, name: str, data: bytes) -> None:
        """Send a message to another speaker directly; nothing happens before gossip runs, or for one never met."""
        if self.net is not None:
            self.net.send(name, data)

    def accuse(self, name: str) -> None:
        """Let all suspect a member at once."""
        if self.net is not None:
            self.net.accuse(name)

    def look_for(self, nodes: Iterable[Node]) -> None:
        """Look for members on these nodes."""
        version = ipaddress.ip_address(self._settings.bind_address).version
        port = self._settings.bind_port
        others = [node for node in nodes if node.name != self._name]
        seeds = frozenset(
            Endpoint(str(address), port) for node in others for address in node.addresses if address.version == version
        )
        if seeds != self._seeds:
            self._seeds = seeds
            if self.net is not None:
                self.net.set_seeds(seeds)

    @property
    def has_met(self) -> bool:
        """Whether who is here can be told: others were met, or there was time enough to meet them.

        A speaker that has just started knows itself alone; to act on that would take every address from its owner.
        """
        if self._began is None:
            return False
        return self._met or asyncio.get_running_loop().time() > self._began + _MEETING_SECONDS

    @property
    def members(self) -> list[Member]:
        """All members known, this speaker included; none before gossip runs."""
        return [] if self.net is None else self.net.node.members

    @property
    def foreign(self) -> list[str]:
        """Names of members that are here and do not understand what Lantern's speakers tell each other."""
        return [member.name for member in self.members if member.present and not is_lantern(member)]

    def view(self, watched: Callable[[str], float | None]) -> list[dict[str, Any]]:
        """The members for people and programs: name, address, state, round-trip time in milliseconds.

        `watched` tells the seconds to a speaker and back, None where they were not measured: then it is the ping's.
        """
        pinged = {} if self.net is None else self.net.node.round_trips
        trips = {name: trip.smoothed for name, trip in pinged.items()}
        trips |= {member.name: trip for member in self.members if (trip := watched(member.name)) is not None}
        return [
            {
                "name": member.name,
                "address": member.endpoint.host,
                "port": member.port,
                "state": member.state.name.lower(),
                "implementation": "lantern" if is_lantern(member) else "other",
                "round_trip_ms": round(trips[member.name] * 1000, 2) if member.name in trips else None,
            }
            for member in sorted(self.members, key=lambda item: item.name)
        ]

    def _rotate(self, net: GossipNet) -> None:
        now = asyncio.get_running_loop().time()
        before = self._keys
        self._keys = key_rotation.step(
            key_rotation.seen(before, read_key(self._settings.secret_folder), now=now), now=now
        )
        if self._keys.in_use != before.in_use:
            net.set_keys(self._keys.in_use)
            log.info("gossip keys exchanged", extra=fields(accepted=len(self._keys.in_use)))

    def _event(self, event: effects.Event) -> None:
        match event:
            case effects.Dropped(reason, _source):
                self._metrics.gossip_dropped.labels(reason=reason.value).inc()
            case effects.StateExchanged():
                self._met = True
            case effects.LeaveFinished():
                self._left.set()
            case effects.MemberJoined(member) | effects.MemberFailed(member) | effects.MemberLeft(member):
                what = type(event).__name__.removeprefix("Member").lower()
                log.info(f"member {what}", extra=fields(member=member.name, address=member.endpoint.host))
            case effects.ExchangeFailed(peer, reason, detail):
                log.debug("exchange failed", extra=fields(peer=peer.host, reason=reason.value, detail=detail))
            case effects.NameConflict(name, ours, theirs):
                log.error("two speakers use one name", extra=fields(name=name, known=ours.host, other=theirs.host))
            case _:
                pass
        self._on_event(event)
