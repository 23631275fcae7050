# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Kubernetes node is and lacks, and what is changed on it. PRIVATE to the homelab.lantern collection.

    host.py          the only input: files and programs of the host that a module runs on
    survey.py        everything that is looked at, as one plain dictionary
    links.py         network interfaces: wired, WiFi, virtual, and which are in the LAN
    netfilter.py     iptables' alternatives, and which backend the cluster needs
    filtering.py     which firewall is in charge, and how each says that hosts may reach a port
    firewalls.py     such rules added to firewalld, ufw or nftables, and removed
    command_line.py  the boot command line of a Raspberry Pi
    findings.py      a survey -> what is missing, why it matters, who repairs it
    advice.py        a survey -> kernel settings that only some nodes need
    table.py         what all nodes are, as text

All but host.py and firewalls.py is pure, or reads from a Host that is given to it.
"""
