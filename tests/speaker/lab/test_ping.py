# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""VIPs answer ping, on a node that forwards packets as every Kubernetes node does."""

from __future__ import annotations

import re
import subprocess
import time

import pytest
from lablib.announcer import announcing
from lablib.netns import CLIENT_ADDRESS, CLIENT_ADDRESS_V6, NODE_ADDRESS, NODE_ADDRESS_V6, NODE_MAC, Lan, ip, sysctl
from lablib.wire import Wire
from scapy.layers.inet import ICMP, IP
from scapy.layers.inet6 import ICMPv6EchoReply, ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Raw

VIP = "192.168.2.128"
VIP_V6 = "fd00:2::128"

# What a node needs besides: the kernel must not forward such requests back to the LAN, for it would tell their sender
# of a better way (redirect) and then that there is none (unreachable). The rule drops echo requests whose way out is
# the interface that they came in by; packet sockets have seen them before.
RULES = """
table inet lantern {
  chain echo {
    type filter hook prerouting priority raw; policy accept;
    icmp type echo-request fib daddr . iif oif exists drop
    icmpv6 type echo-request fib daddr . iif oif exists drop
  }
}
"""


@pytest.fixture
def prepared(lan: Lan) -> Lan:
    """The node forwards, and has the rules."""
    sysctl(lan.node, "net.ipv4.ip_forward", 1)
    sysctl(lan.node, "net.ipv6.conf.all.forwarding", 1)
    subprocess.run([*lan.node_prefix, "nft", "-f", "-"], input=RULES, text=True, check=True)
    return lan


def ping(lan: Lan, address: str, *arguments: str) -> str:
    command = ["ip", "netns", "exec", lan.client, "ping", "-n", "-c", "3", "-i", "0.2", "-W", "4", *arguments, address]
    return subprocess.run(command, capture_output=True, text=True, timeout=60).stdout


@pytest.mark.parametrize("vip", [VIP, VIP_V6])
def test_each_request_gets_one_reply_and_nothing_beside_it(prepared: Lan, vip: str) -> None:
    with announcing(prepared.node, vip), Wire(prepared.client) as wire:
        said = ping(prepared, vip)
        # The kernel would give up looking for the address, and say so, after three seconds.
        frames = [frame for _, frame in wire.frames(3.5)]
    assert "3 packets transmitted, 3 received, 0% packet loss" in said and "errors" not in said
    echo = [frame for frame in frames if (ICMP in frame or frame.type == 0x86DD) and frame.src == NODE_MAC]
    if vip == VIP:
        assert [(frame[ICMP].type, frame[ICMP].seq) for frame in echo if ICMP in frame] == [(0, 1), (0, 2), (0, 3)]
    else:
        icmp = [frame for frame in echo if frame[IPv6].nh == 58 and frame.payload.payload.type in (1, 3, 129, 137)]
        assert [(frame.payload.payload.type, frame[ICMPv6EchoReply].seq) for frame in icmp] == [
            (129, 1),
            (129, 2),
            (129, 3),
        ]


def test_without_the_rule_the_kernel_does_interfere(lan: Lan) -> None:
    """Which shows that the capture above would see it, and why nodes are prepared."""
    sysctl(lan.node, "net.ipv4.ip_forward", 1)
    with announcing(lan.node, VIP), Wire(lan.client) as wire:
        ping(lan, VIP)
        kinds = {frame[ICMP].type for _, frame in wire.frames(3.5) if ICMP in frame and frame.src == NODE_MAC}
    assert 0 in kinds and kinds & {3, 5}


@pytest.mark.parametrize("address", [NODE_ADDRESS, NODE_ADDRESS_V6])
def test_the_node_s_own_addresses_answer_as_ever(prepared: Lan, address: str) -> None:
    with announcing(prepared.node, VIP):
        assert "3 received, 0% packet loss" in ping(prepared, address)


def test_reply_carries_what_the_request_had(prepared: Lan) -> None:
    with announcing(prepared.node, VIP), Wire(prepared.client) as wire:
        request = IP(src=CLIENT_ADDRESS, dst=VIP, ttl=1, tos=0x20) / ICMP(id=0x1234, seq=7) / Raw(b"payload" * 11)
        wire.send(Ether(src="02:00:00:00:00:99", dst=NODE_MAC) / request)
        seen = wire.frames(2, lambda frame: ICMP in frame and frame[ICMP].type == 0)[-1][1]
    assert (seen.src, seen.dst) == (NODE_MAC, "02:00:00:00:00:99")
    assert (seen[IP].src, seen[IP].dst, seen[IP].ttl, seen[IP].tos) == (VIP, CLIENT_ADDRESS, 64, 0x20)
    assert seen[IP].flags == "DF" and seen[IP].frag == 0
    assert (seen[ICMP].id, seen[ICMP].seq, seen[Raw].load) == (0x1234, 7, b"payload" * 11)


def test_reply_v6_carries_what_the_request_had(prepared: Lan) -> None:
    with announcing(prepared.node, VIP_V6), Wire(prepared.client) as wire:
        request = ICMPv6EchoRequest(id=0x1234, seq=7, data=b"payload" * 11)
        wire.send(Ether(src="02:00:00:00:00:99", dst=NODE_MAC) / IPv6(src=CLIENT_ADDRESS_V6, dst=VIP_V6) / request)
        seen = wire.frames(2, lambda frame: ICMPv6EchoReply in frame)[-1][1]
    assert (seen.dst, seen[IPv6].src, seen[IPv6].dst, seen[IPv6].hlim) == (
        "02:00:00:00:00:99",
        VIP_V6,
        CLIENT_ADDRESS_V6,
        64,
    )
    reply = seen[ICMPv6EchoReply]
    assert (reply.id, reply.seq, reply.data) == (0x1234, 7, b"payload" * 11)


def test_largest_unfragmented_ping_is_answered_and_a_fragmented_one_counted(prepared: Lan) -> None:
    with announcing(prepared.node, VIP) as node:
        assert "3 received" in ping(prepared, VIP, "-s", "1472")
        assert "0 received" in ping(prepared, VIP, "-s", "3000", "-W", "1")
        assert 'dropped_total{protocol="echo",reason="fragment"} 3.0' in node.metrics()


def test_ping_is_switched_off(prepared: Lan) -> None:
    with announcing(prepared.node, VIP, VIP_V6, answer_ping=False):
        assert "0 received" in ping(prepared, VIP, "-W", "1")
        assert "0 received" in ping(prepared, VIP_V6, "-W", "1")


def test_address_that_the_kernel_has_too_is_left_to_the_kernel(prepared: Lan) -> None:
    """As kube-proxy's IPVS mode does it, on an interface that is not for the LAN."""
    ip("-n", prepared.node, "address", "add", f"{VIP}/32", "dev", "lo")
    with announcing(prepared.node, VIP) as node:
        said = ping(prepared, VIP)
        assert "3 received, 0% packet loss" in said and "DUP" not in said
        assert 'dropped_total{protocol="echo",reason="kernelAnswers"} 3.0' in node.metrics()


def test_floods_are_limited(prepared: Lan) -> None:
    with announcing(prepared.node, VIP, options={"pings_per_second": 50}) as node, Wire(prepared.client) as wire:
        frame = bytes(
            Ether(src="02:00:00:00:00:99", dst=NODE_MAC) / IP(src=CLIENT_ADDRESS, dst=VIP) / ICMP(id=1, seq=1)
        )
        started = time.monotonic()
        while time.monotonic() < started + 2:
            for _ in range(20):
                wire.send(Ether(frame))
            time.sleep(0.01)
        text = node.metrics()
    answered = re.search(rf'lantern_l2_pings_answered{{ip="{VIP}"}} (\d+)', text)
    # A hundred at once, and fifty in each of the two seconds (a little more, for the test is not exact about them).
    assert answered is not None and 150 <= int(answered[1]) <= 260
