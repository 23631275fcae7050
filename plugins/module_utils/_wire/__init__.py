# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking at a Service from the LAN, as its clients do. PRIVATE to the homelab.lantern collection.

probing.py   asks: ARP by scapy, TCP and HTTP by sockets
verdicts.py  judges the answers, hop by hop, with a sentence and a remedy; pure
"""
