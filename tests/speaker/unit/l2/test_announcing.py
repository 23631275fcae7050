# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole machine: bytes and numbers in, frames and findings out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

import pytest
from lantern.l2 import arp, ndp
from lantern.l2.announcing import Announcing, Answered, Change, Effect, Options, Purpose, SendFrame
from lantern.l2.claims import Interface, Stage
from lantern.l2.conflicts import ConflictSeen
from lantern.l2.probing import FoundFree, FoundInUse
from lantern.l2.responder import Dropped, DropReason, Reply
from lantern.pools import Address

ETH0 = Interface("eth0", bytes.fromhex("020000000001"))
ETH1 = Interface("eth1", bytes.fromhex("020000000002"), ipv6=False)
STRANGER = bytes.fromhex("020000000066")
PEER = bytes.fromhex("020000000011")
CLIENT = bytes.fromhex("020000000099")
VIP = IPv4Address("192.168.2.128")
VIP_V6 = IPv6Address("fd00:2::128")
FAMILIES: tuple[Address, ...] = (VIP, VIP_V6)
both_families = pytest.mark.parametrize("vip", FAMILIES, ids=["ipv4", "ipv6"])


def machine(*interfaces: Interface, **options: float) -> Announcing:
    made = Announcing(Options(**{"refresh_seconds": 0.0, **options}), is_cluster_mac=PEER.__eq__)  # type: ignore[arg-type]
    made.set_interfaces(interfaces or (ETH0,), own_macs=[ETH0.mac, ETH1.mac], news=True, now=0.0)
    return made


def claim_frame(vip: Address, mac: bytes) -> bytes:
    """Somebody says to have the address."""
    return arp.gratuitous(vip.packed, mac)[0] if vip.version == 4 else ndp.unsolicited(vip.packed, mac)


def probe_frame(vip: Address, mac: bytes) -> bytes:
    """Somebody asks in order to take the address."""
    return arp.probe(vip.packed, mac) if vip.version == 4 else ndp.probe(vip.packed, mac)


def question(vip: Address, source: bytes = CLIENT) -> bytes:
    """A client asks for the address."""
    if vip.version == 4:
        plain = arp.decode(arp.probe(vip.packed, source))
        assert plain is not None
        return arp.encode(plain._replace(sender_ip=bytes([192, 168, 2, 20])))
    probe = ndp.decode(ndp.probe(vip.packed, source))
    assert isinstance(probe, ndp.Solicitation)
    return ndp.encode(replace(probe, source=IPv6Address("fd00:2::20").packed, link_address=source))


def receive(made: Announcing, vip: Address, frame: bytes, now: float, interface: Interface = ETH0) -> Reply | Dropped:
    handle = made.receive_arp if vip.version == 4 else made.receive_ndp
    return handle(frame, interface, now=now)


def purposes(effects: Iterable[Effect]) -> list[tuple[str, Purpose]]:
    return [(effect.interface, effect.purpose) for effect in effects if isinstance(effect, SendFrame)]


def found(effects: Iterable[Effect]) -> list[Effect]:
    return [effect for effect in effects if not isinstance(effect, SendFrame)]


def run(made: Announcing, until: float) -> list[Effect]:
    effects = made.drain()
    while (due := made.next_timer()) is not None and due <= until:
        made.handle_timer(now=due)
        effects += made.drain()
    return effects


def test_change_is_told_and_doing_the_same_again_is_none() -> None:
    made = machine()
    assert made.apply({VIP: None, VIP_V6: None}, now=0.0) == Change((VIP, VIP_V6), (), ())
    run(made, 60.0)
    assert made.apply({VIP: None, VIP_V6: None}, now=60.0) == Change((), (), ())
    assert made.drain() == [] and made.next_timer() is None
    assert made.apply({VIP: frozenset({"eth0"})}, now=61.0) == Change((), (VIP_V6,), (VIP,))
    assert purposes(made.drain()) == [("eth0", Purpose.ANNOUNCE)] * 2


def test_addresses_are_announced_on_the_interfaces_they_are_for() -> None:
    made = machine(ETH0, ETH1)
    made.apply({VIP: None, VIP_V6: None}, now=0.0)
    sent = [(effect.interface, effect.frame) for effect in made.drain() if isinstance(effect, SendFrame)]
    assert sent == [
        *(("eth0", frame) for frame in arp.gratuitous(VIP.packed, ETH0.mac)),
        *(("eth1", frame) for frame in arp.gratuitous(VIP.packed, ETH1.mac)),
        ("eth0", ndp.unsolicited(VIP_V6.packed, ETH0.mac)),
    ]


def test_interface_that_is_new_or_plugged_gets_bursts_and_others_do_not() -> None:
    made = machine()
    made.apply({VIP: None}, now=0.0)
    run(made, 60.0)
    made.set_interfaces([ETH0, ETH1], own_macs=[], news=False, now=60.0)
    assert run(made, 70.0) == []
    made.set_interfaces([ETH0, ETH1], own_macs=[], news=True, now=70.0)
    assert len(purposes(run(made, 80.0))) == 5 * 2 * 2


def test_reminder_is_a_single_frame() -> None:
    made = machine(refresh_seconds=10.0)
    made.apply({VIP: None}, now=0.0)
    later = [purpose for _, purpose in purposes(run(made, 40.0)) if purpose is Purpose.REFRESH]
    assert 2 <= len(later) <= 4


@both_families
def test_questions_are_answered_and_prompt_one_of_our_own(vip: Address) -> None:
    made = machine()
    made.apply({vip: None}, now=0.0)
    run(made, 60.0)
    assert isinstance(receive(made, vip, question(vip), 60.0), Reply)
    assert made.has_news
    effects = made.drain()
    assert [effect.frame for effect in effects if isinstance(effect, SendFrame)] == [probe_frame(vip, ETH0.mac)]
    assert not made.has_news


@both_families
def test_probes_are_answered_without_probing_back(vip: Address) -> None:
    """Or two nodes that both announce an address would probe for ever."""
    made = machine()
    made.apply({vip: None}, now=0.0)
    run(made, 60.0)
    for mac in (STRANGER, PEER):
        assert isinstance(receive(made, vip, probe_frame(vip, mac), 60.0), Reply)
    assert made.drain() == [] and made.next_timer() is None


@both_families
def test_own_frames_from_another_interface_are_no_questions(vip: Address) -> None:
    made = machine()
    made.apply({vip: None}, now=0.0)
    made.drain()
    for frame in (claim_frame(vip, ETH1.mac), probe_frame(vip, ETH1.mac)):
        assert receive(made, vip, frame, 60.0) == Dropped(DropReason.OWN_FRAME)
    assert made.drain() == []


@both_families
def test_stranger_is_told_of_and_defended_against(vip: Address) -> None:
    made = machine(ETH0, ETH1)
    made.apply({vip: None}, now=0.0)
    run(made, 60.0)
    receive(made, vip, claim_frame(vip, STRANGER), 60.0)
    effects = made.drain()
    assert found(effects) == [ConflictSeen(vip, STRANGER, "eth0")]
    assert set(purposes(effects)) == {("eth0", Purpose.DEFEND)}
    assert [effect.frame for effect in effects if isinstance(effect, SendFrame)][0] == claim_frame(vip, ETH0.mac)


def test_stranger_that_asks_in_the_address_s_name_is_seen() -> None:
    made = machine()
    made.apply({VIP: None, VIP_V6: None}, now=0.0)
    run(made, 60.0)
    plain = arp.decode(arp.probe(bytes([192, 168, 2, 1]), STRANGER))
    probe = ndp.decode(ndp.probe(IPv6Address("fd00:2::1").packed, STRANGER))
    assert plain is not None and isinstance(probe, ndp.Solicitation)
    made.receive_arp(arp.encode(plain._replace(sender_ip=VIP.packed)), ETH0, now=60.0)
    made.receive_ndp(ndp.encode(replace(probe, source=VIP_V6.packed, link_address=STRANGER)), ETH0, now=60.0)
    assert found(made.drain()) == [ConflictSeen(VIP, STRANGER, "eth0"), ConflictSeen(VIP_V6, STRANGER, "eth0")]


@both_families
def test_speakers_of_the_cluster_and_other_interfaces_lans_are_no_conflict(vip: Address) -> None:
    made = machine(ETH0, ETH1)
    made.apply({vip: frozenset({"eth0"})}, now=0.0)
    run(made, 60.0)
    receive(made, vip, claim_frame(vip, PEER), 60.0)
    receive(made, vip, claim_frame(vip, STRANGER), 60.0, ETH1)
    assert made.drain() == []


@both_families
def test_fresh_address_is_probed_and_silent_until_it_is_free(vip: Address) -> None:
    made = machine(probe_seconds=0.6)
    made.apply({vip: None}, fresh=[vip], now=0.0)
    assert [effect.frame for effect in made.drain() if isinstance(effect, SendFrame)] == [probe_frame(vip, ETH0.mac)]
    assert receive(made, vip, question(vip), 0.1) == Dropped(DropReason.NOT_ANNOUNCED)
    effects = run(made, 0.59)
    assert purposes(effects) == [("eth0", Purpose.PROBE)] * 2 and found(effects) == []
    assert made.probing == {vip}
    effects = run(made, 0.61)
    assert made.probing == set()
    assert found(effects) == [FoundFree(vip, was_in_use=False)]
    assert {purpose for _, purpose in purposes(effects)} == {Purpose.ANNOUNCE}
    assert isinstance(receive(made, vip, question(vip), 0.7), Reply)


@both_families
@pytest.mark.parametrize("frame", [claim_frame, probe_frame])
def test_fresh_address_that_somebody_has_or_probes_for_too_waits(vip: Address, frame: object) -> None:
    made = machine()
    made.apply({vip: None}, fresh=[vip], now=0.0)
    receive(made, vip, frame(vip, PEER), 0.1)  # type: ignore[operator]
    receive(made, vip, frame(vip, STRANGER), 0.1)  # type: ignore[operator]
    assert found(run(made, 9.0)) == [FoundInUse(vip, STRANGER, "eth0")]
    claim = made.claims.of(vip)
    assert claim is not None and claim.stage is Stage.IN_USE and (made.probing, made.in_use) == (set(), {vip})
    assert found(run(made, 11.0)) == [FoundFree(vip, was_in_use=True)]
    assert made.in_use == set()
    assert isinstance(receive(made, vip, question(vip), 11.0), Reply)


def test_probing_can_be_turned_off_forced_or_given_up() -> None:
    made = machine(probe_seconds=0.0)
    made.apply({VIP: None}, fresh=[VIP], now=0.0)
    assert {purpose for _, purpose in purposes(made.drain())} == {Purpose.ANNOUNCE} and made.probing == set()

    made = machine()
    made.apply({VIP: None, VIP_V6: None}, fresh=[VIP, VIP_V6], forced=[VIP_V6], now=0.0)
    assert made.probing == {VIP}
    made.receive_arp(claim_frame(VIP, STRANGER), ETH0, now=0.1)
    made.drain()
    assert made.in_use == {VIP}
    made.apply({VIP: None}, forced=[VIP], now=0.2)
    assert made.in_use == set()
    assert {(effect.address, effect.purpose) for effect in made.drain() if isinstance(effect, SendFrame)} >= {
        (VIP, Purpose.ANNOUNCE)
    }
    made.apply({}, now=0.3)
    assert made.drain() == [] and made.next_timer() is None

    made.apply({VIP: None}, fresh=[VIP], now=1.0)
    made.receive_arp(claim_frame(VIP, STRANGER), ETH0, now=1.0)
    made.apply({}, now=1.1)
    assert made.in_use == set()
    assert purposes(made.drain()) == [("eth0", Purpose.PROBE)] and made.next_timer() is None

    made.apply({VIP: None, VIP_V6: None}, fresh=[VIP, VIP_V6], now=2.0)
    assert made.probing == {VIP, VIP_V6}
    made.apply({VIP: None}, forced=[VIP], now=2.1)
    assert made.probing == set()


def test_moved_address_that_is_not_announced_yet_stays_silent() -> None:
    made = machine(ETH0, ETH1)
    made.apply({VIP: None}, fresh=[VIP], now=0.0)
    made.apply({VIP: frozenset({"eth1"})}, now=0.1)
    assert {purpose for _, purpose in purposes(made.drain())} == {Purpose.PROBE}
    assert {interface for interface, _ in purposes(run(made, 1.0))} == {"eth1"}


@both_families
def test_who_answers_is_told_while_it_is_asked(vip: Address) -> None:
    made = machine()
    made.ask(vip, None, now=0.0)
    assert [effect.frame for effect in made.drain() if isinstance(effect, SendFrame)] == [probe_frame(vip, ETH0.mac)]
    receive(made, vip, claim_frame(vip, PEER), 0.1)
    receive(made, vip, probe_frame(vip, STRANGER), 0.1)
    assert made.has_news and made.drain() == [Answered(vip, PEER, "eth0")]
    made.stop_asking(vip)
    receive(made, vip, claim_frame(vip, PEER), 0.2)
    assert made.drain() == []


def test_damaged_frames_are_dropped() -> None:
    made = machine()
    assert made.receive_arp(b"", ETH0, now=0.0) == Dropped(DropReason.MALFORMED)
    assert made.receive_ndp(b"", ETH0, now=0.0) == Dropped(DropReason.MALFORMED)
    assert made.receive_echo(b"", ETH0, now=0.0) == Dropped(DropReason.MALFORMED)
    assert made.echo_wait(now=0.0) == 0
