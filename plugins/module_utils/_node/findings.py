# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A survey of a node -> what it lacks, and what to do about it. PRIVATE to the homelab.lantern collection."""

from __future__ import annotations

import typing as t

from . import command_line, filtering, netfilter

Survey = t.Dict[str, t.Any]


class Finding(t.NamedTuple):
    """`subject` names the thing, `text` what is wrong with it, `remedy` what is done or has to be."""

    subject: str
    text: str
    remedy: str


def findings(seen: Survey) -> list[Finding]:
    """In the order in which they hurt."""
    parts = (_memory, _iptables, _firewall, _swap, _wifi, _clock)
    return [finding for part in parts for finding in part(seen)]


def _memory(seen: Survey) -> list[Finding]:
    if seen["memory_cgroup"]:
        return []
    file = seen["boot_command_line"]
    word = command_line.MEMORY_CGROUP
    if word in seen["boot_arguments"]:
        remedy = f"{word} is in {file}: reboot. If that was done, the firmware reads another file (os_prefix, cmdline)."
    elif file:
        remedy = f"prepare adds {word} to {file}; it takes a reboot."
    else:
        remedy = f"Add {word} to the kernel's command line in its boot loader, and reboot."
    return [Finding("memory cgroup", "is switched off in the kernel; kubelet does not start", remedy)]


def _iptables(seen: Survey) -> list[Finding]:
    decision = netfilter.decide(seen["netfilter"], seen["kubernetes"])
    if not netfilter.changes(seen["netfilter"], decision.backend):
        return []
    tools = ", ".join(sorted(netfilter.changes(seen["netfilter"], decision.backend)))
    return [
        Finding("iptables", f"has the wrong backend: {decision.reason}", f"prepare sets {tools} to {decision.backend}.")
    ]


def _firewall(seen: Survey) -> list[Finding]:
    if seen["firewall"]["manager"] != filtering.IPTABLES:
        return []
    text = "turns packets away by rules of your own"
    remedy = (
        "Accept TCP and UDP 7946 and TCP 17472 from the other nodes there; prepare does not know where they are kept."
    )
    return [Finding("firewall", text, remedy)]


def _swap(seen: Survey) -> list[Finding]:
    if not seen["swap"] or not seen["kubernetes"]["swap_refused"]:
        return []
    text = f"{', '.join(seen['swap'])} is in use, and this kubelet does not start beside swap"
    return [Finding("swap", text, "Set prepare_swap: 'off', or failSwapOn: false in kubelet's settings.")]


def _wifi(seen: Survey) -> list[Finding]:
    found = []
    for link in seen["links"]:
        if link["lan"] and link["kind"] == "wifi":
            driver = f" ({link['driver']})" if link["driver"] else ""
            text = f"{link['name']}{driver} is WiFi: chips and access points drop the broadcasts that ask for addresses"
            remedy = "A cable is the cure."
            if not link["promiscuous"]:
                remedy = "prepare switches on promiscuous mode and switches off power saving. A cable is the cure."
            found.append(Finding("WiFi", text, remedy))
    return found


def _clock(seen: Survey) -> list[Finding]:
    clock = seen["clock"]
    if clock["synchronized"] is not False:
        return []
    text = "is not synchronized; certificates and leases are judged by it"
    remedy = (
        f"See why {clock['service']} does not reach a server."
        if clock["service"]
        else "Install systemd-timesyncd or chrony."
    )
    return [Finding("clock", text, remedy)]
