# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all nodes are, as text for a terminal. PRIVATE to the homelab.lantern collection."""

from __future__ import annotations

import typing as t

COLUMNS = ("node", "system", "Kubernetes", "LAN", "iptables", "firewall", "memory cgroup", "clock", "swap")


def cells(name: str, seen: dict[str, t.Any]) -> tuple[str, ...]:
    """One line of the table."""
    kubernetes, netfilter = seen["kubernetes"], seen["netfilter"]
    cluster = " ".join(filter(None, (kubernetes["distribution"], kubernetes["version"], kubernetes["proxy_mode"])))
    lan = ", ".join(f"{link['name']} ({link['kind']})" for link in seen["links"] if link["lan"])
    iptables = " ".join(filter(None, (netfilter["version"], netfilter["backend"])))
    machine = seen["system"]["machine"] if seen["system"]["raspberry_pi"] else ""
    return (
        name,
        ", ".join(filter(None, (machine, seen["system"]["name"]))),
        cluster or "none yet",
        lan or "none",
        iptables or "none",
        seen["firewall"]["manager"],
        "on" if seen["memory_cgroup"] else "off",
        {True: "synchronized", False: "not synchronized", None: "unknown"}[seen["clock"]["synchronized"]],
        ", ".join(seen["swap"]) or "none",
    )


def aligned(rows: t.Sequence[t.Sequence[str]]) -> list[str]:
    """Rows of as many cells as COLUMNS under their titles."""
    lines = [COLUMNS, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]


def complaints(name: str, found: t.Sequence[dict[str, str]]) -> list[str]:
    """One line for each finding (as Finding._asdict() makes them)."""
    return [f"{name}: {one['subject']} {one['text']}. {one['remedy']}" for one in found]
