# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What verify shows and by what it fails: rows from the modules' results, and the table. PRIVATE to homelab.lantern."""

from __future__ import annotations

import typing as t

from .verdicts import BAD, GOOD, Verdict

COLUMNS = ("subject", "address", "hop", "result", "what was seen")

NO_SERVICES = (
    "There is no Service of type LoadBalancer yet, so nothing was tried on the wire. With one, for instance by",
    "  kubectl create deployment web --image=nginx && kubectl expose deployment web --port=80 --type=LoadBalancer",
    "run playbooks/verify.yml again.",
)


class Row(t.NamedTuple):
    """One line of the table."""

    subject: str
    address: str
    verdict: Verdict

    def cells(self) -> tuple[str, ...]:
        return (self.subject, self.address, self.verdict.hop, self.verdict.result, self.verdict.text)


def cluster_rows(info: dict[str, t.Any]) -> list[Row]:
    """The state of Lantern in the cluster, from the result of loadbalancer_services_info."""
    told = []
    for name, seen in (("controller", info["controller"]), ("speaker", info["speaker"])):
        remedy = "" if seen["ready"] else "Run the deploy stage; it shows the pods' logs if they do not become ready."
        told.append(Verdict(name, GOOD if seen["ready"] else BAD, seen["text"], remedy))
    if info["pools"]:
        text = "; ".join(f"{pool['name']}: {', '.join(pool['addresses'])}" for pool in info["pools"])
        told.append(Verdict("pools", GOOD, text))
    else:
        told.append(Verdict("pools", BAD, "there is no IPAddressPool", "Set lantern_pools and run the deploy stage."))
    # A speaker that is not there at all has its own line: then this one would only repeat it.
    if info["obstacle"] and info["speaker"]["ready"]:
        told.append(Verdict("announcers", BAD, "no node can announce addresses", info["obstacle"]))
    return [Row("cluster", "", verdict) for verdict in told]


def waiting_rows(info: dict[str, t.Any]) -> list[Row]:
    """The Services without address."""
    return [
        Row(service["name"], "pending", Verdict("address", BAD, "has none yet", service["waiting"]))
        for service in info["services"]
        if not service["addresses"]
    ]


def probe_rows(probes: list[dict[str, t.Any]]) -> list[Row]:
    """The hops of each probed address, from the results of service_probe."""
    return [
        Row(probe["service"], probe["address"], Verdict(**verdict)) for probe in probes for verdict in probe["verdicts"]
    ]


def table(rows: list[Row]) -> list[str]:
    """The rows as aligned text, the header first; the last column is not padded."""
    lines = [COLUMNS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS) - 1)]
    return ["  ".join([*(cell.ljust(width) for cell, width in zip(line, widths)), line[-1]]).rstrip() for line in lines]


def complaint(rows: list[Row]) -> str:
    """Every bad verdict with its remedy, one line each; "" if there is none."""
    lines = []
    for row in rows:
        verdict = row.verdict
        if verdict.result == BAD:
            lines.append(f"{row.subject}, {verdict.hop}: {verdict.text}. {verdict.remedy}")
    return "\n".join(lines)
