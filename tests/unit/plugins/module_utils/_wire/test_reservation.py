# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked of DHCP servers, and what their answers show, against servers made of a few lines; time is a number."""

from __future__ import annotations

import random
from ipaddress import IPv4Address

import pytest

pytest.importorskip("scapy", reason="needs the Python package scapy to read frames")

from ansible_collections.homelab.lantern.plugins.module_utils._pools import AddressRange, parse_range
from ansible_collections.homelab.lantern.plugins.module_utils._wire import discover, proof
from ansible_collections.homelab.lantern.plugins.module_utils._wire.reservation import (
    FAILED,
    PATIENCE_SECONDS,
    PROVEN,
    UNKNOWN,
    Inquiry,
    samples,
    worst,
)


def ranges(*texts):
    parsed = [parse_range(item) for item in texts]
    assert all(isinstance(item, AddressRange) for item in parsed)
    return parsed


LAN = ranges("192.168.2.0/24")[0]
POOL = ranges("192.168.2.150-192.168.2.159")


class FakeServer:
    """Hands out ranges in order; `delay`: seconds for each answer; `heeds`: wishes; `deaf_to`: asked-for addresses."""

    def __init__(self, address, *texts, delay=0.0, heeds=True, deaf_to=()):
        self.address = address
        self.ranges = ranges(*texts)
        self.delay = delay
        self.heeds = heeds
        self.deaf_to = deaf_to
        self.used = 0

    def answer(self, question):
        if question.address in self.deaf_to:
            return None
        wish = question.address
        if not (self.heeds and wish and any(IPv4Address(wish) in item for item in self.ranges)):
            wish = str(self.ranges[0].first_address + self.used % self.ranges[0].size)
            self.used += 1
        return discover.Offer(question.xid, "02:00:00:00:00:01", wish, self.address, "aa:00:00:00:00:01", "0.0.0.0")


def ask(*servers, held=(), pools=POOL, count=4, loses=0):
    """The inquiry after all was asked, and the seconds that it took; the first `loses` questions reach nobody."""
    taken, rng = {IPv4Address(item) for item in held}, random.Random(1)
    inquiry = Inquiry(pools, LAN, rng=rng)
    inquiry.ask_for(samples(pools, taken, count, rng), taken)
    now, coming, sent = 0.0, [], 0
    free_at = {server.address: 0.0 for server in servers}
    while not inquiry.is_over(now=now):
        assert now < 120, "it does not end"
        question = inquiry.next_question(now=now)
        if question is not None:
            sent += 1
            for server in servers:
                offer = server.answer(question) if sent > loses else None
                free_at[server.address] = max(now, free_at[server.address]) + server.delay
                if offer is not None:
                    coming.append((free_at[server.address], offer))
        for item in sorted(coming):
            if item[0] <= now:
                inquiry.heard(item[1], now=now)
                coming.remove(item)
        now += 0.1
    return inquiry, now


def verdicts(inquiry):
    return {item.server: item.verdict for item in inquiry.judgements()}


def test_a_server_kept_out_of_the_pools_is_proven():
    inquiry, seconds = ask(FakeServer("r", "192.168.2.100-192.168.2.149"))
    assert verdicts(inquiry) == {"r": PROVEN}
    asked = [question.address for question in inquiry.asked]
    assert {"192.168.2.150", "192.168.2.159"} <= set(asked)
    assert len(asked) == 7 and len(set(asked)) == 6
    assert seconds <= PATIENCE_SECONDS + 0.5


def test_a_server_that_offers_the_pools_fails_at_once():
    inquiry, _seconds = ask(FakeServer("r", "192.168.2.100-192.168.2.200"))
    assert verdicts(inquiry) == {"r": FAILED}
    assert "192.168.2.150" in inquiry.judgements()[0].text
    assert len(inquiry.asked) == 2


def test_a_pool_that_is_offered_without_being_asked_for_fails_as_well():
    inquiry, _seconds = ask(FakeServer("r", "192.168.2.155-192.168.2.156", heeds=False))
    assert verdicts(inquiry) == {"r": FAILED}


def test_a_server_that_heeds_no_wishes_proves_nothing():
    inquiry, _seconds = ask(FakeServer("r", "192.168.2.100-192.168.2.149", heeds=False))
    assert verdicts(inquiry) == {"r": UNKNOWN}
    assert "does not offer the addresses" in inquiry.judgements()[0].text


def test_no_server_proves_nothing():
    inquiry, seconds = ask()
    assert inquiry.judgements() == [] and len(inquiry.asked) == 3
    assert seconds < 3 * PATIENCE_SECONDS + 0.5
    told = proof.report([proof.by_dhcp([], [])], [], {})
    assert told["verdict"] == UNKNOWN and told["problems"] == [proof.NO_SERVER]


@pytest.mark.parametrize("lost", [1, 2])
def test_a_lost_first_question_is_asked_again(lost):
    inquiry, _seconds = ask(FakeServer("r", "192.168.2.100-192.168.2.149"), loses=lost)
    assert verdicts(inquiry) == {"r": PROVEN}


def test_silence_about_one_address_of_the_pools_is_no_proof():
    inquiry, _seconds = ask(FakeServer("r", "192.168.2.100-192.168.2.149", deaf_to=["192.168.2.159"]))
    assert verdicts(inquiry) == {"r": UNKNOWN}
    assert "no answer when asked for 192.168.2.159" in inquiry.judgements()[0].text
    assert [question.address for question in inquiry.asked].count("192.168.2.159") == 2


def test_a_second_slow_server_is_heard_and_judged_by_itself():
    good = FakeServer("good", "192.168.2.100-192.168.2.149")
    slow = FakeServer("slow", "192.168.2.10-192.168.2.20", delay=3.0)
    inquiry, _seconds = ask(good, slow)
    assert verdicts(inquiry) == {"good": PROVEN, "slow": PROVEN}
    wrong = FakeServer("wrong", "192.168.2.150-192.168.2.170", delay=3.0)
    inquiry, _seconds = ask(FakeServer("good", "192.168.2.100-192.168.2.149"), wrong)
    assert verdicts(inquiry)["wrong"] == FAILED


def test_addresses_that_somebody_has_are_not_asked_for():
    held = ["192.168.2.150", "192.168.2.104", "192.168.2.105", "192.168.2.106"]
    inquiry, _seconds = ask(FakeServer("r", "192.168.2.100-192.168.2.149"), held=held)
    assert verdicts(inquiry) == {"r": PROVEN}
    assert not {question.address for question in inquiry.asked} & set(held)


def test_pools_without_a_free_address_are_not_proven():
    held = [f"192.168.2.{number}" for number in range(150, 160)]
    inquiry, _seconds = ask(FakeServer("r", "192.168.2.100-192.168.2.149"), held=held)
    assert verdicts(inquiry) == {"r": UNKNOWN}


def test_samples_are_edges_first_then_any():
    pools = ranges("10.0.0.0/24", "10.0.2.0-10.0.2.1")
    found = samples(pools, {IPv4Address("10.0.0.0")}, 6, random.Random(1))
    assert found[:4] == ["10.0.0.1", "10.0.0.255", "10.0.2.0", "10.0.2.1"]
    assert len(set(found)) == 6 and all(any(IPv4Address(item) in part for part in pools) for item in found)
    assert samples(ranges("10.0.0.5-10.0.0.5"), set(), 6, random.Random(1)) == ["10.0.0.5"]


def test_until_it_is_said_what_to_ask_for_only_the_servers_are_looked_for():
    inquiry = Inquiry(POOL, LAN, rng=random.Random(1))
    first = inquiry.next_question(now=0.0)
    assert first is not None and first.address == ""
    offer = discover.Offer(first.xid, "02:00:00:00:00:09", "192.168.2.10", "r", "aa:00:00:00:00:01", "0.0.0.0")
    inquiry.heard(offer, now=3.0)
    assert inquiry.next_question(now=9.0) is None
    inquiry.ask_for(["192.168.2.150"], set())
    following = inquiry.next_question(now=9.0)
    assert following is not None and following.address == "192.168.2.150"


def test_offers_to_others_are_passed_over():
    inquiry = Inquiry(POOL, LAN, rng=random.Random(1))
    inquiry.ask_for(["192.168.2.150"], set())
    inquiry.next_question(now=0.0)
    stranger = discover.Offer(1, "02:00:00:00:00:09", "192.168.2.150", "r", "aa:00:00:00:00:01", "0.0.0.0")
    inquiry.heard(stranger, now=0.1)
    assert inquiry.servers == {}


def test_the_worst_verdict_counts():
    assert worst([PROVEN, UNKNOWN]) == UNKNOWN
    assert worst([UNKNOWN, FAILED, PROVEN]) == FAILED
    assert worst([]) == UNKNOWN


def test_a_question_as_a_frame_and_an_answer_read_back():
    scapy = pytest.importorskip("scapy.all")
    frame = scapy.Ether(discover.discover(7, "02:11:22:33:44:55", "52:54:00:00:00:01", "192.168.2.150"))
    assert frame.src == "52:54:00:00:00:01" and frame.dst == "ff:ff:ff:ff:ff:ff"
    assert bytes(frame[scapy.BOOTP].chaddr)[:6].hex(":") == "02:11:22:33:44:55"
    assert int(frame[scapy.BOOTP].flags) == discover.BROADCAST_FLAG
    options = dict(item for item in frame[scapy.DHCP].options if isinstance(item, tuple))
    assert options["message-type"] == 1 and options["requested_addr"] == "192.168.2.150"
    assert discover.offer(bytes(frame)) is None, "a question is no offer"
    answer = scapy.Ether(src="aa:00:00:00:00:01", dst="ff:ff:ff:ff:ff:ff") / scapy.IP(src="192.168.2.1")
    answer /= scapy.UDP(sport=67, dport=68)
    answer /= scapy.BOOTP(op=2, xid=7, yiaddr="192.168.2.100", giaddr="10.0.0.1", chaddr=b"\x02\x11\x22\x33\x44\x55")
    good = answer / scapy.DHCP(options=[("message-type", "offer"), ("server_id", "10.9.9.9"), "end"])
    found = discover.offer(bytes(good))
    assert found == discover.Offer(7, "02:11:22:33:44:55", "192.168.2.100", "10.9.9.9", "aa:00:00:00:00:01", "10.0.0.1")
    assert discover.offer(bytes(answer / scapy.DHCP(options=[("message-type", "nak"), "end"]))) is None
    for length in range(0, len(bytes(good)), 7):
        discover.offer(bytes(good)[:length])  # whatever is cut off, nothing is raised


def test_invented_clients_differ_but_hash_alike():
    for seed in range(20):
        macs = list(discover.clients(random.Random(seed)))
        assert len(set(macs)) == discover.CLIENTS and all(mac.startswith("02:") for mac in macs)
        hashes = set()
        for mac in macs:
            value = 0
            for octet in bytes.fromhex(mac.replace(":", "")):
                value = (value * 65599 + octet) % 2**32
            hashes.add(value)
        assert len(hashes) == 1


def test_the_report_names_strangers_and_foreign_servers():
    inquiry, _seconds = ask(FakeServer("192.168.2.1", "192.168.2.100-192.168.2.149"))
    devices = [
        proof.Device("192.168.2.151", "aa:00:00:00:00:02", "node1"),
        proof.Device("192.168.2.152", "b8:27:eb:00:00:01", "", "Raspberry Pi Foundation", "printer.home"),
    ]
    told = proof.report([proof.by_dhcp(inquiry.judgements(), ["192.168.2.254"])], devices, {})
    assert told["verdict"] == FAILED
    assert "printer.home" in told["problems"][0] and "192.168.2.152" in told["problems"][0]
    assert "192.168.2.1 " in told["warnings"][0] and told["servers"][0]["foreign"]
    assert [item["address"] for item in told["strangers"]] == ["192.168.2.152"]
    assert len(told["table"]) == 4
    calm = proof.report([proof.by_dhcp(inquiry.judgements(), ["192.168.2.1"])], devices[:1], {})
    assert calm["verdict"] == PROVEN and calm["problems"] == calm["warnings"] == []


class RandomServer(FakeServer):
    """Heeds no wishes and offers anything in its range."""

    def __init__(self, address, text, seed):
        super().__init__(address, text, heeds=False)
        self.rng = random.Random(seed)

    def answer(self, question):
        value = self.rng.randint(self.ranges[0].first, self.ranges[0].last)
        return discover.Offer(question.xid, "", str(IPv4Address(value)), self.address, "aa:00:00:00:00:01", "0.0.0.0")


def test_a_grant_by_chance_is_hardly_taken_for_a_proof():
    """A server that picks one of 50 addresses at random, 400 times over."""
    found = [ask(RandomServer("r", "192.168.2.100-192.168.2.149", seed))[0].judgements()[0] for seed in range(400)]
    assert sum(item.verdict == PROVEN for item in found) <= 2


class HoldingServer(FakeServer):
    """Keeps an offered address for the client that it was offered to, as ISC dhcpd does for two minutes."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.held = set()

    def answer(self, question):
        free = [v for item in self.ranges for v in range(item.first, item.last + 1) if v not in self.held]
        wish = int(IPv4Address(question.address or "0.0.0.0"))
        chosen = wish if wish in free else free[0]
        self.held.add(chosen)
        return discover.Offer(question.xid, "", str(IPv4Address(chosen)), self.address, "aa:00:00:00:00:01", "0.0.0.0")


def test_a_server_that_holds_offers_back_is_proven_all_the_same():
    inquiry, _seconds = ask(HoldingServer("r", "192.168.2.100-192.168.2.149"))
    assert verdicts(inquiry) == {"r": PROVEN}


class SameForAll(FakeServer):
    """Heeds no wishes and offers its lowest address to everybody."""

    def answer(self, question):
        first = str(self.ranges[0].first_address)
        return discover.Offer(question.xid, "", first, self.address, "aa:00:00:00:00:01", "0.0.0.0")


def test_a_server_that_offers_the_same_to_everybody_proves_nothing():
    inquiry, _seconds = ask(SameForAll("r", "192.168.2.100-192.168.2.149"))
    assert verdicts(inquiry) == {"r": UNKNOWN}
