# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking at Services and pools from the LAN, as its hosts do. PRIVATE to the homelab.lantern collection.

A Service, hop by hop (stage verify):
    probing.py    asks: ARP and neighbour discovery by scapy, TCP, HTTP and TLS by sockets
    listening.py  overhears who replies, or refuses, while a connection is tried
    looking.py    one look: what to ask, in which order
    facts.py      what the cluster says and what was seen, as records
    hops.py       judges both, hop by hop; pure
    causes.py     why a hop is likely to be broken, and the command against it; pure
    verdicts.py   one hop judged
    gaps.py       times without answers in a series of requests (role failover); pure
    report.py     the table and the summary; pure

The pools, before anything is announced (stage reserve):
    discover.py     DHCPDISCOVER and DHCPOFFER as frames; pure
    solicit.py      DHCPv6 Solicit and Advertise, and router advertisements, as frames; pure
    reservation.py  what to ask the DHCP servers, and what their answers show; pure
    wishes.py       whether a server offers what it is asked for; pure
    reach.py        whether a DHCPv6 server that does not may come to the pools; pure
    scanning.py     asks: ARP, neighbour discovery, DHCP, DHCPv6 through one raw socket
    strangers.py    maker and name of a device that nobody knows
    proof.py        the verdict, and the table; pure
"""
