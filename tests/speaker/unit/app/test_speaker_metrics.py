# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a scrape reads after things have happened to a speaker: values, of series with MetalLB's names among them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from ipaddress import ip_address

import pytest
from fakes.records import advertisement, node, pool, service
from lantern.adapters.address_cover import Range
from lantern.adapters.links import Link
from lantern.adapters.packet_filter import Kind
from lantern.announce import layer2
from lantern.announce.layer2 import Layer2Announcer
from lantern.app.failover import Options
from lantern.app.membership import CAPABILITY, Membership
from lantern.app.owner_election import OwnerElection
from lantern.core.announce import claims_by_address
from lantern.core.model import Endpoint, Snapshot
from lantern.core.vips import VipIndex
from lantern.gossip.members import Member, MemberState
from lantern.l2 import announcing, arp
from lantern.l2.claims import Interface
from lantern.metrics import SpeakerMetrics
from lantern.settings import GossipSettings
from lantern.tenure import Bulletin, Tenure
from lantern.watch import messages
from lantern.watch.messages import Edition
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

VIP, TAKEN = ip_address("192.168.2.128"), ip_address("192.168.2.129")
MAC, CLIENT, STRANGER = (bytes((2, 0, 0, 0, 0, number)) for number in (0x11, 0x20, 0x66))
ETH0 = Link("eth0", 2, MAC, flags=0x1043, enslaved=False)  # up, broadcast, running, multicast


class Cable:
    """A port without sockets: what it sends, hosts of the LAN see, and what they send, it receives."""

    plugged: list[Cable] = []

    def __init__(
        self,
        link: Link,
        filters: Mapping[Kind, Sequence[Range]],
        receive: Callable[[Cable, Kind, bytes], None],
        after_batch: Callable[[], None],
    ) -> None:
        self.link, self.interface = link, Interface(link.name, link.mac, ipv6=False)
        self._receive, self._after_batch = receive, after_batch
        self.strangers_address: bytes | None = None
        self.plugged.append(self)

    def arrives(self, *frames: bytes) -> None:
        for frame in frames:
            self._receive(self, Kind.ARP, frame)
        self._after_batch()

    def send(self, kind: Kind, frame: bytes) -> bool:
        packet = arp.decode(frame)
        assert packet is not None and kind is Kind.ARP
        if packet.operation == arp.REQUEST and packet.target_ip == self.strangers_address:
            asyncio.get_running_loop().call_soon(self.arrives, arp.reply(packet, STRANGER))
        return True

    def filter(self, filters: Mapping[Kind, Sequence[Range]]) -> None:
        pass

    def narrow(self, kind: Kind, words: Collection[int]) -> None:
        pass

    def close(self) -> None:
        self.plugged.remove(self)


class Scrape:
    """One reading of the speaker's exposition."""

    def __init__(self, registry: CollectorRegistry) -> None:
        families = text_string_to_metric_families(generate_latest(registry).decode())
        self._samples = [sample for family in families for sample in family.samples]

    def of(self, name: str) -> dict[str, float]:
        """All series with this name that ever counted anything, by the values of their labels."""
        return {" ".join(s.labels.values()): s.value for s in self._samples if s.name == name and s.value}


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        async with asyncio.timeout(10):
            await scenario()

    asyncio.run(main())


async def until(condition: Callable[[], object]) -> None:
    while not condition():
        await asyncio.sleep(0.005)


@pytest.fixture(autouse=True)
def lan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layer2, "Port", Cable)


def request(address: bytes, destination: bytes = arp.BROADCAST) -> bytes:
    """A client asks for the address."""
    return arp.encode(
        arp.ArpFrame(
            destination=destination,
            source=CLIENT,
            operation=arp.REQUEST,
            sender_mac=CLIENT,
            sender_ip=ip_address("192.168.2.20").packed,
            target_mac=bytes(6),
            target_ip=address,
        )
    )


def test_questions_probes_strangers_and_what_was_dropped() -> None:
    async def scenario() -> None:
        registry = CollectorRegistry()
        announcer = Layer2Announcer(SpeakerMetrics(registry), announcing.Options(probe_seconds=0.06))
        announcer.set_links({"eth0": ETH0})
        (cable,) = Cable.plugged
        cable.strangers_address = TAKEN.packed
        announcer.apply({VIP: None, TAKEN: None}, fresh=[VIP, TAKEN])
        await until(lambda: Scrape(registry).of("metallb_layer2_gratuitous_sent"))
        probed = Scrape(registry)
        assert probed.of("lantern_l2_in_use_elsewhere") == {"": 1}
        assert probed.of("metallb_layer2_gratuitous_sent") == {str(VIP): 2}, "a pair, for the free one only"
        # Three for the free one; the other one was found taken by the first.
        assert probed.of("lantern_l2_probes_sent_total") == {"": 4}

        elsewhere = ip_address("192.168.2.200").packed
        cable.arrives(
            request(VIP.packed),
            request(VIP.packed),
            request(elsewhere),
            request(VIP.packed)[:30],
            request(VIP.packed, STRANGER),
            arp.gratuitous(VIP.packed, STRANGER)[0],
        )
        seen = Scrape(registry)
        assert seen.of("metallb_layer2_requests_received") == {str(VIP): 2}
        assert seen.of("metallb_layer2_responses_sent") == {str(VIP): 2}
        assert seen.of("lantern_l2_conflicts_total") == {str(VIP): 1}
        assert seen.of("metallb_layer2_gratuitous_sent") == {str(VIP): 4}, "defended at once"
        assert seen.of("lantern_l2_probes_sent_total") == {"": 5}, "whether a stranger answers the client, too"
        dropped = seen.of("lantern_l2_dropped_total")
        # The stranger's answer to the probe, and its announcement.
        assert dropped.pop("arp notARequest") == 2
        assert dropped == {"arp notAnnounced": 1, "arp malformed": 1, "arp notForUs": 1}

        announcer.apply({})
        gone = Scrape(registry)
        for name in ("requests_received", "responses_sent", "gratuitous_sent"):
            assert gone.of(f"metallb_layer2_{name}") == {}
        assert gone.of("lantern_l2_conflicts_total") == {}
        announcer.close()

    run(scenario)


def member(name: str, state: MemberState = MemberState.ALIVE, meta: bytes = CAPABILITY) -> Member:
    versions = bytes((1, 5, 2, 0, 0, 0))
    return Member(
        name=name,
        address=bytes((192, 168, 2, 12)),
        port=7946,
        meta=meta,
        versions=versions,
        incarnation=1,
        state=state,
        since=0.0,
    )


def snapshot() -> Snapshot:
    services = tuple(service(f"web-{address}", str(address)) for address in (VIP, TAKEN))
    return Snapshot(
        pools=(pool("home", "192.168.2.128/25"),),
        services=services,
        endpoints={item.key: (Endpoint("node1", True),) for item in services},
        nodes={name: node(name) for name in ("node1", "node2")},
        advertisements=(advertisement(),),
    )


def test_addresses_of_others_by_how_they_came_and_messages_that_were_not_taken() -> None:
    async def scenario() -> None:
        registry = CollectorRegistry()
        metrics = SpeakerMetrics(registry)
        announcer = Layer2Announcer(metrics)
        membership = Membership(GossipSettings(bind_address="192.168.2.11"), "node1", metrics, lambda event: None)
        election = OwnerElection(
            "node1",
            Options(start_seconds=0.0),
            VipIndex(),
            membership,
            announcer,
            metrics,
            lambda decided: announcer.apply(claims_by_address(decided)),
        )
        announcer.set_links({"eth0": ETH0})
        election.start()
        election.set_links({"eth0": ETH0}, addressed=True)
        election.set_members([member("node2")])
        theirs = Bulletin(
            ready=True,
            settled=True,
            interfaces={"eth0": STRANGER},
            tenures=dict.fromkeys((VIP.packed, TAKEN.packed), Tenure(1, 0.0)),
        )
        for data in messages.encode_bulletin(Edition(7, 1), theirs, now=100.0):
            election.receive("node2", data)
        election.set_snapshot(snapshot(), current=True)
        await until(lambda: set(election.machine.owners.values()) == {"node2"})

        election.receive("node2", b"LW\x01\x01 cut")
        election.receive("node9", messages.encode_report("node2", heard=True))
        (offer,) = messages.encode_offers([(VIP.packed, 1)])
        election.receive("node2", offer)
        await until(lambda: str(VIP) in Scrape(registry).of("metallb_layer2_gratuitous_sent"))
        handed_over = Scrape(registry)
        assert handed_over.of("lantern_takeovers_total") == {"handover": 1}
        assert handed_over.of("lantern_gossip_dropped_total") == {"malformed": 1, "unknownPeer": 1}
        assert handed_over.of("metallb_layer2_gratuitous_sent") == {str(VIP): 2}

        election.set_members([member("node2", MemberState.LEFT)])
        await until(lambda: str(TAKEN) in Scrape(registry).of("metallb_layer2_gratuitous_sent"))
        left = Scrape(registry)
        assert left.of("lantern_takeovers_total") == {"handover": 1, "vacant": 1}
        assert left.of("lantern_takeover_seconds_count") == left.of("lantern_speakers_lost_total") == {}, "none died"
        election.close()
        announcer.close()

    run(scenario)


@pytest.mark.parametrize(("meta", "by_hash"), [(CAPABILITY, False), (b"", True)])
def test_members_are_told_apart_by_what_they_say_of_themselves(meta: bytes, by_hash: bool) -> None:
    """MetalLB's speakers have no delegate, so that their meta is empty."""

    async def scenario() -> None:
        metrics = SpeakerMetrics(CollectorRegistry())
        membership = Membership(GossipSettings(), "node1", metrics, lambda event: None)
        election = OwnerElection(
            "node1", Options(), VipIndex(), membership, Layer2Announcer(metrics), metrics, lambda decided: None
        )
        election.set_snapshot(snapshot(), current=True)
        election.set_members([member("node2", meta=meta)])
        assert election.machine.by_hash is by_hash
        election.set_members([member("node2", MemberState.LEFT, meta)])
        assert not election.machine.by_hash
        election.close()

    run(scenario)
