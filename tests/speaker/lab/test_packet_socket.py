# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layer 2 on a real cable: the Linux kernel of a LAN host asks, Lantern answers."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from lablib.netns import NODE_MAC, Lan, inside, ip
from lablib.process import SOURCES, eventually
from scapy.layers.l2 import ARP, Ether

VIP = "192.168.2.128"

# Runs in the node's namespace: announces the addresses of its arguments until it is ended; prints its metrics then.
ANNOUNCER = """
import asyncio, ipaddress, signal, sys
from prometheus_client import CollectorRegistry, generate_latest
from lantern.adapters.links import exclusion, scan
from lantern.announce.layer2 import Layer2Announcer
from lantern.metrics import SpeakerMetrics

async def main():
    registry = CollectorRegistry()
    announcer = Layer2Announcer(SpeakerMetrics(registry))
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    links = scan(exclusion())
    announcer.set_links(links)
    claims = {ipaddress.ip_address(a.partition("@")[0]): frozenset([i]) if (i := a.partition("@")[2]) else None
              for a in sys.argv[1:]}
    announcer.apply(claims)
    announcer.apply(claims)
    loop.add_signal_handler(signal.SIGUSR1, lambda: announcer.apply({}))
    async def watch():
        while True:
            announcer.set_links(scan(exclusion()))
            await asyncio.sleep(0.1)
    task = asyncio.create_task(watch())
    print("ready", sorted(announcer.interfaces), flush=True)
    await stop.wait()
    task.cancel()
    announcer.close()
    print(generate_latest(registry).decode(), flush=True)

asyncio.run(main())
"""


@contextmanager
def announcing(lan: Lan, *claims: str) -> Iterator[subprocess.Popen[str]]:
    # Root without any capability but the one that the speaker's container has.
    confined = ("setpriv", "--bounding-set=-all,+net_raw", "--inh-caps=-all")
    command = [*lan.node_prefix, *confined, sys.executable, "-c", ANNOUNCER, *claims]
    process = subprocess.Popen(
        command, env={**os.environ, "PYTHONPATH": str(SOURCES)}, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready ['eth0']\n"
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def listen(lan: Lan) -> socket.socket:
    """A socket that sees every ARP frame that reaches the client."""

    def make() -> socket.socket:
        made = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
        made.bind(("eth0", 0x0806))
        return made

    return inside(lan.client, make)


def frames(ears: socket.socket, seconds: float) -> list[tuple[float, Ether]]:
    """What is heard, with the time since the call."""
    heard = []
    started = time.monotonic()
    while (left := started + seconds - time.monotonic()) > 0:
        if select.select([ears], [], [], left)[0]:
            heard.append((time.monotonic() - started, Ether(ears.recv(2048))))
    return heard


def test_kernel_of_a_lan_host_gets_the_node_s_mac(lan: Lan) -> None:
    with announcing(lan, VIP):
        lan.forget(VIP)
        lan.ask(VIP)
        assert eventually(lambda: lan.neighbour(VIP), 2, "an ARP entry") == NODE_MAC


def test_nobody_answers_for_other_addresses_or_after_withdrawal(lan: Lan) -> None:
    with announcing(lan, VIP) as process, listen(lan) as ears:
        time.sleep(0.1)
        lan.ask("192.168.2.129")
        process.send_signal(signal.SIGUSR1)
        time.sleep(0.1)
        frames(ears, 0.2)
        lan.forget(VIP)
        lan.ask(VIP)
        assert [frame for _, frame in frames(ears, 1.0) if frame[ARP].op == 2] == []
        assert lan.neighbour("192.168.2.129") is None and lan.neighbour(VIP) is None


def test_claim_of_another_interface_is_not_answered_here(lan: Lan) -> None:
    with announcing(lan, f"{VIP}@eth9"), listen(lan) as ears:
        lan.ask(VIP)
        assert frames(ears, 0.7) == []


def test_gratuitous_burst_is_five_pairs_1_1_seconds_apart(lan: Lan) -> None:
    with listen(lan) as ears, announcing(lan, VIP):
        heard = [(at, frame) for at, frame in frames(ears, 6.5) if frame[ARP].psrc == VIP]
    assert [frame[ARP].op for _, frame in heard] == [1, 2] * 5
    for _, frame in heard:
        assert (frame.dst, frame.src) == ("ff:ff:ff:ff:ff:ff", NODE_MAC)
        assert frame[ARP].pdst == VIP and frame[ARP].hwsrc == NODE_MAC
    first = heard[0][0]
    offsets = [at - first for at, _ in heard[::2]]
    assert offsets == pytest.approx([0, 1.1, 2.2, 3.3, 4.4], abs=0.15)


def test_gratuitous_frames_move_a_stale_entry(lan: Lan) -> None:
    ip("-n", lan.client, "neighbour", "replace", VIP, "lladdr", "02:00:00:00:00:99", "dev", "eth0", "nud", "stale")
    with announcing(lan, VIP):
        eventually(lambda: lan.neighbour(VIP) == NODE_MAC, 3, "the entry moves")


def test_cable_pulled_and_joined_again_announces_again(lan: Lan) -> None:
    with announcing(lan, VIP), listen(lan) as ears:
        frames(ears, 5.5)
        ip("-n", lan.client, "link", "set", "eth0", "down")
        time.sleep(0.4)
        ip("-n", lan.client, "link", "set", "eth0", "up")
        with listen(lan) as again:
            assert any(frame[ARP].psrc == VIP for _, frame in frames(again, 1.5))


def test_what_happened_is_counted(lan: Lan) -> None:
    with announcing(lan, VIP) as process:
        lan.forget(VIP)
        lan.ask(VIP)
        eventually(lambda: lan.neighbour(VIP), 2, "an ARP entry")
        lan.ask("192.168.2.77")
        time.sleep(0.2)
        process.terminate()
        assert process.stdout is not None
        text = process.stdout.read()
    assert f'metallb_layer2_requests_received{{ip="{VIP}"}} 1.0' in text
    assert f'metallb_layer2_responses_sent{{ip="{VIP}"}} 1.0' in text
    assert f'metallb_layer2_gratuitous_sent{{ip="{VIP}"}} 2.0' in text
    assert 'lantern_l2_dropped_total{reason="notAnnounced"}' in text


def test_frames_that_are_not_arp_never_reach_the_process(lan: Lan) -> None:
    """The kernel's filter: odd operations and other protocols are not even counted as dropped."""
    with announcing(lan, VIP) as process, listen(lan) as mouth:
        for operation in (3, 8):
            mouth.send(bytes(Ether(dst="ff:ff:ff:ff:ff:ff") / ARP(op=operation, pdst=VIP, psrc="192.168.2.20")))
        mouth.send(bytes(Ether(dst="ff:ff:ff:ff:ff:ff", type=0x0800) / (b"x" * 60)))
        time.sleep(0.3)
        process.terminate()
        assert process.stdout is not None
        text = process.stdout.read()
    assert "lantern_l2_dropped_total{" not in text
