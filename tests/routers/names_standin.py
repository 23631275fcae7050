#!/usr/bin/env python3
# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""In the place of a device's responders: `mdns` as in RFC 6762, `netbios` as in RFC 1002; argument 2 is its own name.

It answers only what it is asked for its own address, eth0's, argument 3.
"""

from __future__ import annotations

import socket
import struct
import sys
from ipaddress import ip_address

kind, name, address = sys.argv[1:]


def labels(text: str) -> bytes:
    return b"".join(bytes([len(part)]) + part.encode() for part in text.split(".")) + b"\0"


def mdns(question: bytes) -> bytes:
    own = labels(ip_address(address).reverse_pointer) + struct.pack("!HH", 12, 1)
    if question[12:] != own:
        return b""
    # A one-shot query has its number and its question repeated, as by an ordinary server (RFC 6762, 6.7).
    data = labels(name)
    header = question[:2] + struct.pack("!5H", 0x8400, 1, 1, 0, 0)
    return header + own + own + struct.pack("!IH", 10, len(data)) + data


def netbios(question: bytes) -> bytes:
    if question[46:50] != struct.pack("!HH", 0x21, 1):  # NBSTAT
        return b""
    # The group comes first: a name that many hosts have. The last is a name of the file server.
    names = [(b"WORKGROUP", 0, 0x8400), (name.encode(), 0, 0x0400), (name.encode(), 0x20, 0x0400)]
    rows = b"".join(text.ljust(15) + struct.pack("!BH", suffix, flags) for text, suffix, flags in names)
    data = bytes([len(names)]) + rows + bytes(46)
    return (
        question[:2] + struct.pack("!5H", 0x8400, 0, 1, 0, 0) + question[12:46]
        + struct.pack("!HHIH", 0x21, 1, 0, len(data)) + data
    )  # fmt: skip


answer, port = {"mdns": (mdns, 5353), "netbios": (netbios, 137)}[kind]
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as channel:
    channel.bind(("", port))
    if kind == "mdns":
        group = socket.inet_aton("224.0.0.251") + socket.inet_aton(address)
        channel.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
    while True:
        asked, sender = channel.recvfrom(4096)
        if told := answer(asked):
            channel.sendto(told, sender)
