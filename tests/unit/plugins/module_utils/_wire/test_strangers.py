# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A device's maker by its MAC, and its name by answers over loopback; tests/routers asks whole hosts."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest

pytest.importorskip("scapy")

from ansible_collections.homelab.lantern.plugins.module_utils._wire import strangers
from scapy.layers.dns import DNS, DNSRR

HERE = "127.0.0.1"


@pytest.mark.parametrize(
    ("mac", "words"),
    [
        ("b8:27:eb:00:00:01", "Raspberry"),
        # Phones make one up for each network; virtual machines and containers have no other.
        ("02:00:00:00:00:01", "random or virtual MAC"),
        ("da:a1:19:12:34:56", "random or virtual MAC"),
    ],
)
def test_makers(mac, words):
    assert words in strangers.vendor(mac)


def test_a_maker_that_nobody_knows_is_left_out():
    assert strangers.vendor("fc:fd:fe:00:00:04") == ""


@pytest.mark.parametrize("table", [None, {}])
def test_without_the_table_only_random_addresses_are_told(monkeypatch, table):
    monkeypatch.setattr(strangers, "settings", table)
    assert strangers.vendor("b8:27:eb:00:00:01") == ""
    assert strangers.vendor("02:00:00:00:00:01") == "random or virtual MAC"


@contextlib.contextmanager
def responder(monkeypatch, answer):
    """Answers one question for names by multicast DNS with what answer() makes of it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
        channel.bind((HERE, 0))
        channel.settimeout(10)
        monkeypatch.setattr(strangers, "MDNS", channel.getsockname())

        def serve():
            asked, sender = channel.recvfrom(4096)
            channel.sendto(answer(asked), sender)

        thread = threading.Thread(target=serve)
        thread.start()
        yield
        thread.join()


def named(asked):
    question = DNS(asked)
    record = DNSRR(rrname="1.0.0.127.in-addr.arpa.", type="PTR", ttl=10, rdata="kitchen.local.")
    return bytes(DNS(id=question.id, qr=1, aa=1, qd=question.qd, an=record))


def test_a_name_by_multicast_dns(monkeypatch):
    with responder(monkeypatch, named):
        assert strangers._from_mdns(HERE) == "kitchen.local"


@pytest.mark.parametrize("length", [0, 5, 12, 30, 50, 60])
def test_what_is_no_answer_is_no_name(monkeypatch, length):
    with responder(monkeypatch, lambda asked: named(asked)[:length]):
        assert strangers._from_mdns(HERE) == ""


def test_a_refusal_is_no_name(monkeypatch):
    with responder(monkeypatch, lambda asked: bytes(DNS(id=DNS(asked).id, qr=1, rcode=3, qd=DNS(asked).qd))):
        assert strangers._from_mdns(HERE) == ""
