# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""DHCPv6 and router advertisements as bytes, and what answers show, against servers made of a few lines."""

from __future__ import annotations

import random
from ipaddress import IPv6Address

import pytest

pytest.importorskip("scapy", reason="needs the Python package scapy to read frames")

from ansible_collections.homelab.lantern.plugins.module_utils._pools import AddressRange, parse_range
from ansible_collections.homelab.lantern.plugins.module_utils._wire import proof, solicit
from ansible_collections.homelab.lantern.plugins.module_utils._wire.reach import LEAST_OFFERS, out_of_reach
from ansible_collections.homelab.lantern.plugins.module_utils._wire.reservation import (
    FAILED,
    PATIENCE6_SECONDS,
    PROVEN,
    UNKNOWN,
    Inquiry,
    Purpose,
    Question,
    samples,
    samples_of,
)
from scapy.layers.dhcp6 import (
    DUID_LLT,
    DHCP6_Advertise,
    DHCP6_Solicit,
    DHCP6OptClientId,
    DHCP6OptIA_NA,
    DHCP6OptIAAddress,
    DHCP6OptRapidCommit,
    DHCP6OptServerId,
    DHCP6OptStatusCode,
)
from scapy.layers.inet import UDP
from scapy.layers.inet6 import ICMPv6ND_RA, ICMPv6ND_RS, ICMPv6NDOptPrefixInfo, IPv6
from scapy.layers.l2 import Ether

OWN_MAC, OWN = "52:54:00:00:00:01", "fe80::5054:ff:fe00:1"
ROUTER_MAC, ROUTER = "aa:00:00:00:00:01", "fe80::1"
POOL = (parse_range("fd00:2::1:0/112"),)
EVERYWHERE = AddressRange(6, 0, (1 << 128) - 1)


def from_server(message):
    return bytes(Ether(src=ROUTER_MAC, dst=OWN_MAC) / IPv6(src=ROUTER, dst=OWN) / UDP(sport=547, dport=546) / message)


def advertised(*inner, xid=7):
    message = DHCP6_Advertise(trid=xid) / DHCP6OptClientId(duid=DUID_LLT(lladdr=OWN_MAC))
    return message / DHCP6OptServerId(duid=DUID_LLT(lladdr=ROUTER_MAC)) / DHCP6OptIA_NA(ianaopts=list(inner))


def router_advertisement(hops=255, **flags):
    frame = Ether(src=ROUTER_MAC, dst="33:33:00:00:00:01") / IPv6(src=ROUTER, dst="ff02::1", hlim=hops)
    frame /= ICMPv6ND_RA(**flags)
    frame /= ICMPv6NDOptPrefixInfo(prefix="fd00:2::", prefixlen=64, A=1)
    return bytes(frame / ICMPv6NDOptPrefixInfo(prefix="fd00:3::", prefixlen=64, A=0))


def test_a_question_as_a_frame():
    asked = Question(0x123456, Purpose.POOL, "fd00:2::1:0")
    clients = solicit.Clients(OWN_MAC, OWN, random.Random(1))
    (raw,), (other,) = clients.frames(asked), clients.frames(asked)
    frame = Ether(raw)
    assert (frame.src, frame.dst) == (OWN_MAC, "33:33:00:01:00:02")
    assert (frame[IPv6].src, frame[IPv6].dst, frame[IPv6].hlim) == (OWN, "ff02::1:2", 1)
    assert (frame[UDP].sport, frame[UDP].dport) == (546, 547)
    assert frame[DHCP6_Solicit].trid == 0x123456
    assert [item.addr for item in frame[DHCP6OptIA_NA].ianaopts] == ["fd00:2::1:0"]
    assert DHCP6OptRapidCommit not in frame, "else a lease would come about"
    assert bytes(frame[DHCP6OptClientId].duid) != bytes(Ether(other)[DHCP6OptClientId].duid)
    assert solicit.advertisement(raw) is None, "a question is no answer"


def test_the_first_question_is_for_routers_as_well():
    first, second = solicit.Clients(OWN_MAC, OWN, random.Random(1)).frames(Question(7, Purpose.ANY))
    assert ICMPv6ND_RS in Ether(first) and Ether(first)[IPv6].hlim == 255
    assert Ether(second)[DHCP6OptIA_NA].ianaopts == []


def test_an_advertisement_read_back():
    kept = DHCP6OptIAAddress(addr="fd00:2::1000", preflft=600, validlft=600)
    refused = DHCP6OptIAAddress(addr="fd00:2::1:0", preflft=0, validlft=0)
    second = DHCP6OptIAAddress(addr="2001:db8::1000", preflft=600, validlft=600)
    raw = from_server(advertised(kept, refused, second))
    found = solicit.advertisement(raw)
    assert found.addresses == ("fd00:2::1000", "2001:db8::1000"), "a lifetime of zero offers nothing"
    assert (found.xid, found.server, found.server_mac) == (7, ROUTER, ROUTER_MAC)
    assert found.duid.startswith("00:01:00:01:") and found.duid.endswith(ROUTER_MAC)
    for length in range(len(raw)):
        solicit.advertisement(raw[:length])  # whatever is cut off, nothing is raised
        solicit.advertisement(raw[:length] + b"\xff" * (len(raw) - length))


def test_a_refusal_is_an_advertisement_of_nothing():
    assert solicit.advertisement(from_server(advertised(DHCP6OptStatusCode(statuscode=2)))).addresses == ()


def test_a_server_that_does_not_say_who_it_is_is_passed_over():
    """As RFC 8415 section 16.3 wants it."""
    assert solicit.advertisement(from_server(DHCP6_Advertise(trid=7) / DHCP6OptIA_NA())) is None


@pytest.mark.parametrize(
    ("flags", "managed", "other"), [({"M": 1, "O": 1}, True, True), ({"M": 0, "O": 0}, False, False)]
)
def test_routers_are_overheard(flags, managed, other):
    clients = solicit.Clients(OWN_MAC, OWN, random.Random(1))
    raw = router_advertisement(**flags)
    assert clients.answer(raw) is None
    assert clients.routers == {ROUTER: solicit.Router(ROUTER, ROUTER_MAC, managed, other, ("fd00:2::/64",))}
    for length in range(len(raw)):
        solicit.router(raw[:length])


def test_router_advertisements_from_elsewhere_do_not_count():
    assert solicit.router(router_advertisement(hops=64)) is None


class FakeServer:
    """Hands out a range: what it is asked for if it `heeds` that, else by chance, or () if it `refuses`."""

    def __init__(self, text, *, heeds=True, refuses=False, seed=1):
        self.range = parse_range(text)
        self.heeds = heeds
        self.refuses = refuses
        self.rng = random.Random(seed)

    def answer(self, question):
        wish = question.address
        if not (self.heeds and wish and IPv6Address(wish) in self.range):
            wish = str(IPv6Address(self.rng.randint(self.range.first, self.range.last)))
        addresses = () if self.refuses else (wish,)
        return solicit.Advertisement(question.xid, addresses, ROUTER, ROUTER_MAC, "00:03")


def ask(*servers, pools=POOL, held=()):
    """The inquiry after all was asked, and the seconds that it took."""
    rng = random.Random(1)
    inquiry = Inquiry(pools, EVERYWHERE, rng=rng)
    inquiry.ask_for(samples(pools, set(held), 4, rng), set(held))
    now = 0.0
    while not inquiry.is_over(now=now):
        assert now < 60, "it does not end"
        question = inquiry.next_question(now=now)
        if question is not None:
            assert question.xid < 1 << 24, "transaction ids of DHCPv6 are short"
            for server in servers:
                inquiry.heard(server.answer(question), now=now)
        now += 0.1
    return inquiry, now


def judged(*servers, **options):
    inquiry, _seconds = ask(*servers, **options)
    return [(item.verdict, item.text) for item in inquiry.judgements()]


def test_a_server_kept_out_of_the_pools_is_proven():
    inquiry, seconds = ask(FakeServer("fd00:2::1000-fd00:2::1fff"))
    (found,) = inquiry.judgements()
    assert found.verdict == PROVEN and "fd00:2::1:ffff" in found.text and found.duid == "00:03"
    assert {"fd00:2::1:0", "fd00:2::1:ffff"} <= {question.address for question in inquiry.asked}
    assert seconds <= PATIENCE6_SECONDS + 0.5


def test_a_server_that_advertises_the_pools_fails_at_once():
    inquiry, _seconds = ask(FakeServer("fd00:2::-fd00:2::ffff:ffff"))
    assert inquiry.judgements()[0].verdict == FAILED and len(inquiry.asked) == 2


def test_a_server_that_refuses_everybody_hands_nothing_out():
    ((verdict, text),) = judged(FakeServer("fd00:2::/64", refuses=True))
    assert verdict == PROVEN and "no address for a new host" in text


def test_a_server_that_chooses_itself_is_judged_by_how_far_away_it_does():
    """As odhcpd does, which draws twelve bits."""
    ((verdict, text),) = judged(FakeServer("fd00:2::100-fd00:2::fff", heeds=False))
    assert verdict == PROVEN and "too far from the pools" in text
    near = [parse_range("fd00:2::1100-fd00:2::11ff")]
    ((verdict, text),) = judged(FakeServer("fd00:2::100-fd00:2::fff", heeds=False), pools=near)
    assert verdict == UNKNOWN and "does not offer the addresses" in text


def test_silence_is_over_soon():
    inquiry, seconds = ask()
    assert inquiry.judgements() == [] and len(inquiry.asked) == 3
    assert seconds < 3 * PATIENCE6_SECONDS + 0.5


def draws(text, many=13, seed=1):
    part, rng = parse_range(text), random.Random(seed)
    return [rng.randint(part.first, part.last) for _draw in range(many)]


@pytest.mark.parametrize(
    ("offers", "reached"),
    [
        (draws("fd00:2::100-fd00:2::fff"), False),
        (draws("fd00:2::100-fd00:2::fff", many=LEAST_OFFERS - 1), True),
        (draws("fd00:2::f000-fd00:2::ffff"), True),  # next to the pool
        (draws("fd00:2::-fd00:2::ffff:ffff"), True),  # around it, one in 65,536
        (draws("fd00:2::/64"), False),  # so many that the pool is next to nothing
        (draws("fd00:3::/80"), False),  # another prefix
        (draws("fd00:2::100-fd00:2::fff") + draws("fd00:2:0:1::100-fd00:2:0:1::fff"), False),
        (list(range(POOL[0].first - 9000, POOL[0].first - 8987)), True),  # one after the other: no end is seen
        ([POOL[0].first - 9000] * 13, True),
        ([], True),
    ],
)
def test_the_reach_of_a_server_that_chooses_by_chance(offers, reached):
    assert out_of_reach(offers, POOL) is not reached


def test_a_range_with_the_pool_is_hardly_taken_for_one_without_it():
    """A range that reaches into the pool by a sixteenth, 2000 times; none that has met the pool comes here."""
    reaching = "fd00:2::1000-fd00:2::1:0fff"
    pools = [parse_range("fd00:2::1:0-fd00:2::1:fff")]
    tried = [draws(reaching, seed=seed) for seed in range(2000)]
    assert not any(out_of_reach(offers, pools) for offers in tried if max(offers) < pools[0].first)


def test_samples_of_a_large_pool_are_free_ones_that_were_looked_at():
    first = int(IPv6Address("fd00:2::"))
    pools = [AddressRange(6, first, first + (1 << 64) - 1)]
    looked_at = [IPv6Address(first + value) for value in (0, 1, 2, (1 << 64) - 1, 5000, 6000)]
    held = {looked_at[0]}
    assert samples_of(looked_at, pools, held, 4) == [
        "fd00:2::1",
        "fd00:2::ffff:ffff:ffff:ffff",
        "fd00:2::1770",
        "fd00:2::1388",
    ]
    assert samples_of(looked_at, pools, set(looked_at), 4) == []


def seen(managed):
    return [solicit.Router(ROUTER, ROUTER_MAC, managed, False, ("fd00:2::/64",))]


@pytest.mark.parametrize(
    ("routers", "verdict", "word"),
    [([], PROVEN, "no router"), (seen(False), PROVEN, "flag M"), (seen(True), UNKNOWN, "flag M")],
)
def test_what_silence_means_is_told_by_routers(routers, verdict, word):
    told = proof.report([proof.by_dhcpv6([], [], [], routers)], [], {})
    assert told["verdict"] == verdict
    assert told["table"][1].startswith("DHCPv6 server") and word in told["table"][1]
    assert told["problems"] == ([proof.by_dhcpv6([], [], [], routers).silence[1]] if verdict == UNKNOWN else [])
    assert [item["managed"] for item in told["routers"]] == [item.managed for item in routers]


def test_a_host_without_ipv6_proves_nothing():
    told = proof.report([proof.not_asked("eth7")], [], {})
    assert told["verdict"] == UNKNOWN and "eth7" in told["problems"][0]


def test_silence_by_dhcp_is_not_healed_by_dhcpv6():
    told = proof.report([proof.by_dhcp([], []), proof.by_dhcpv6([], [], [], [])], [], {})
    assert told["verdict"] == UNKNOWN and told["problems"] == [proof.NO_SERVER]


def test_foreign_servers_are_known_by_the_mac_of_those_that_belong_here():
    inquiry, _seconds = ask(FakeServer("fd00:2::1000-fd00:2::1fff"))
    for expected, macs, foreign in (
        (["192.168.2.1"], {ROUTER_MAC}, False),
        (["192.168.2.1"], {OWN_MAC}, True),
        (["192.168.2.1"], set(), False),  # nobody knows its MAC
        (["fd00:2::1"], set(), False),  # nor which link-local address it has
        ([ROUTER], set(), False),
        (["fe80::2"], set(), True),
        ([], set(), False),
    ):
        told = proof.report([proof.by_dhcpv6(inquiry.judgements(), expected, macs, [])], [], {ROUTER_MAC: "Maker"})
        assert told["servers"][0]["foreign"] is foreign and bool(told["warnings"]) is foreign
    assert (
        "The DHCPv6 server fe80::1 (aa:00:00:00:00:01 (Maker))"
        in proof.report([proof.by_dhcpv6(inquiry.judgements(), ["fe80::2"], set(), [])], [], {ROUTER_MAC: "Maker"})[
            "warnings"
        ][0]
    )


def test_a_pool_that_fills_a_prefix_of_slaac_is_warned_about():
    assert proof.crowded([parse_range("fd00:2::/64")], seen(False)) and not proof.crowded(POOL, seen(False))
    assert not proof.crowded([parse_range("fd00:9::/64")], seen(False))
