# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What clients use: TCP and UDP, IPv4 and IPv6, ping. All of it with kube-proxy over iptables, then over nftables."""

from __future__ import annotations

import time

import pytest
from benchmarks import lab
from home import Home
from limits import CHANGE_SECONDS
from scapy.layers.inet import ICMP, IP, IPerror
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6EchoReply, ICMPv6ND_NS, ICMPv6ND_Redirect, IPerror6, IPv6
from scapy.layers.l2 import ARP
from scapy.packet import Packet
from series import ask
from vips import ANNOUNCE_SECONDS, Vips
from wire import ARP_TYPE, IPV4_TYPE, IPV6_TYPE, Capture, Lan

BOTH = (("TCP", 53), ("UDP", 53))
PINGS = 20
# The kernel gives up looking for an address, and says so, after three seconds.
KERNEL_SECONDS = 4.0

pytestmark = pytest.mark.usefixtures("proxy_mode")


def test_the_rules_are_where_they_are_meant_to_be(proxy_mode: str, vips: Vips) -> None:
    """Or the other tests would try one mode twice."""
    vip, owner = vips.announced()
    time.sleep(1)
    tables = lab.on(owner, "nft list table ip kube-proxy 2>/dev/null || true")
    chains = lab.on(owner, f"iptables-save -t nat | grep -F '{vip.address}/32' || true")
    assert (vip.address in tables, bool(chains)) == (proxy_mode == "nftables", proxy_mode == "iptables")


@pytest.mark.parametrize("local", [False, True], ids=["cluster", "local"])
def test_tcp_and_udp_on_one_service(home: Home, vips: Vips, local: bool) -> None:
    vip, owner = vips.announced(ports=BOTH, local=local)
    for protocol in ("TCP", "UDP"):
        answer = ask(vip.address, protocol=protocol, port=53)
        if local:
            assert answer == {"node": owner, "client": home.client(vip.address)}
        else:
            assert answer["node"] in home.nodes


def test_tcp_alone_and_udp_alone(home: Home, vips: Vips) -> None:
    tcp, _ = vips.announced(ports=[("TCP", 80)])
    udp, _ = vips.announced(ports=[("UDP", 514)])
    assert ask(tcp.address)["node"] in home.nodes
    assert ask(udp.address, protocol="UDP", port=514)["node"] in home.nodes


@pytest.mark.parametrize("local", [False, True], ids=["cluster", "local"])
def test_ipv6_alone(home: Home, lan: Lan, vips: Vips, local: bool) -> None:
    vip, owner = vips.announced(ports=BOTH, local=local, ipFamilyPolicy="SingleStack", ipFamilies=["IPv6"])
    assert ":" in vip.address and len(vip.addresses) == 1
    assert lan.answering(vip.address, 1.0) == [owner]
    for protocol in ("TCP", "UDP"):
        answer = ask(vip.address, protocol=protocol, port=53)
        assert answer["node"] == owner if local else answer["node"] in home.nodes
        assert not local or answer["client"] == home.client(vip.address)
    assert "3 received" in _ping(vip.address, 3)


def test_both_families_have_one_owner(home: Home, lan: Lan, vips: Vips) -> None:
    vip, owner = vips.announced(ports=BOTH, local=True, ipFamilyPolicy="RequireDualStack")
    assert sorted(":" in address for address in vip.addresses) == [False, True]
    for address in vip.addresses:
        assert lan.owner(address, CHANGE_SECONDS) == owner
        assert ask(address, port=53)["node"] == owner
        assert ask(address, protocol="UDP", port=53)["node"] == owner


def _ping(address: str, count: int, *options: str) -> str:
    words = ["ping", "-n", "-c", str(count), "-i", "0.1", "-W", "2", *options, address]
    return lab.on("client", f"{' '.join(words)} || true")


def _is_about(frame: Packet, address: str) -> bool:
    """Whether it comes from an address, or is an error about it: connections of tests before have their own ends."""
    if any(network in frame and frame[network].src == address for network in (IP, IPv6)):
        return True
    return any(error in frame and frame[error].dst == address for error in (IPerror, IPerror6, ICMPv6ND_Redirect))


def test_ping_gets_one_reply_and_nothing_beside_it(lan: Lan, vips: Vips) -> None:
    # Without a look at kube-proxy's rules, whose ends (TCP resets) would be among what is captured.
    vip = vips.make()
    owner = lan.owner(vip.address, ANNOUNCE_SECONDS)
    with Capture(IPV4_TYPE) as packets, Capture(ARP_TYPE) as questions:
        said = _ping(vip.address, PINGS)
        time.sleep(KERNEL_SECONDS)
    assert f"{PINGS} received, 0% packet loss" in said and "errors" not in said, said
    frames = [one.frame for one in packets.frames if ICMP in one.frame and _is_about(one.frame, vip.address)]
    messages = [(lan.name(frame.src), frame[ICMP]) for frame in frames]
    assert {(node, message.type) for node, message in messages} == {(owner, 0)}
    assert [message.seq for _, message in messages] == list(range(1, PINGS + 1))
    # A kernel that meant to pass the pings on would look for the address.
    asked = [one.frame[ARP] for one in questions.frames if one.frame[ARP].pdst == vip.address]
    # A speaker's own questions have no sender address (RFC 5227), its announcements the VIP's.
    assert not [lan.name(one.hwsrc) for one in asked if one.psrc not in ("0.0.0.0", vip.address)]


def test_ping6_gets_one_reply_and_nothing_beside_it(lan: Lan, vips: Vips) -> None:
    vip = vips.make(ipFamilyPolicy="SingleStack", ipFamilies=["IPv6"])
    owner = lan.owner(vip.address, ANNOUNCE_SECONDS)
    with Capture(IPV6_TYPE) as packets:
        said = _ping(vip.address, PINGS)
        time.sleep(KERNEL_SECONDS)
    assert f"{PINGS} received, 0% packet loss" in said and "errors" not in said, said
    frames = [one.frame for one in packets.frames if _is_about(one.frame, vip.address)]
    replies = [frame for frame in frames if ICMPv6EchoReply in frame]
    assert {lan.name(frame.src) for frame in replies} == {owner}
    assert [frame[ICMPv6EchoReply].seq for frame in replies] == list(range(1, PINGS + 1))
    assert not [frame for frame in frames if ICMPv6DestUnreach in frame or ICMPv6ND_Redirect in frame]
    everything = [one.frame for one in packets.frames if ICMPv6ND_NS in one.frame]
    solicited = [frame for frame in everything if frame[ICMPv6ND_NS].tgt == vip.address]
    assert not [frame for frame in solicited if frame[IPv6].src != "::" and lan.name(frame.src) != "client"]


def test_other_pings_pass_as_ever(home: Home, lan: Lan, vips: Vips) -> None:
    """A node's own addresses, and what it passes on as a router by the interface that it came in by."""
    vips.announced()
    first, second = home.topology.nodes[:2]
    assert "3 received" in _ping(first.address, 3)
    assert second.pod_network and "3 received" in _ping_through(first.address, f"{second.pod_network[:-4]}1")
    assert "3 received" in _ping(f"{home.prefix.partition('/')[0]}{11}", 3)
    with Capture(IPV6_TYPE) as packets:
        _ping("ff02::1%eth0", 3)
    assert set(home.nodes) <= {lan.name(one.frame.src) for one in packets.frames if ICMPv6EchoReply in one.frame}


def _ping_through(gateway: str, address: str) -> str:
    lab.on("client", f"ip route add {address}/32 via {gateway}")
    try:
        return _ping(address, 3)
    finally:
        lab.on("client", f"ip route delete {address}/32")


def test_rules_about_pings_come_back_when_the_rule_set_is_emptied(home: Home) -> None:
    """nftables.service does that when it starts, stops or reloads. Here it is only Lantern's table that it empties."""
    node, listing = home.workers[1], "nft list table inet lantern"
    before = lab.on(node, listing)
    rules, folder = "/run/only-ours.nft", "/run/systemd/system/nftables.service.d"
    lines = [f"{what}=\n{what}=/usr/sbin/nft -f {rules}\n" for what in ("ExecStart", "ExecReload", "ExecStop")]
    lab.on(node, f"cat > {rules}", stdin="table inet lantern\ndelete table inet lantern\n")
    lab.on(node, f"mkdir -p {folder}; cat > {folder}/10-only-ours.conf", stdin=f"[Service]\n{''.join(lines)}")
    lab.on(node, "systemctl daemon-reload")
    try:
        for verb in ("start", "reload", "restart"):
            lab.on(node, f"systemctl {verb} nftables.service")
            assert lab.on(node, listing) == before, verb
    finally:
        lab.on(node, f"systemctl stop nftables.service; rm -r {folder} {rules}; systemctl daemon-reload")
    assert lab.on(node, listing) == before, "stop"
