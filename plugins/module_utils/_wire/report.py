# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What verify shows and by what it fails: rows from the modules' results, and the table. PRIVATE to homelab.lantern."""

from __future__ import annotations

import typing as t

from .verdicts import BAD, GOOD, Verdict

COLUMNS = ("subject", "address", "hop", "result", "ms", "what was seen")
MS_COLUMN = COLUMNS.index("ms")

NO_SERVICES = (
    "There is no Service of type LoadBalancer yet, so nothing was tried on the wire. With one, for instance by",
    "  kubectl create deployment web --image=nginx && kubectl expose deployment web --port=80 --type=LoadBalancer",
    "run playbooks/verify.yml again.",
)

ON_A_NODE = (
    "This host is the node {0}, so that only ARP was proven: its own kube-proxy answers for every Service, whatever "
    "the rest of the home sees. Put another host of the LAN into inventory group probe."
)


class Row(t.NamedTuple):
    """One line of the table."""

    subject: str
    address: str
    verdict: Verdict

    def cells(self) -> tuple[str, ...]:
        verdict = self.verdict
        return (self.subject, self.address, verdict.hop, verdict.result, shown(verdict.milliseconds), verdict.text)


def shown(milliseconds: float | None) -> str:
    """A duration for people: 0.42, 3.1, 250."""
    if milliseconds is None:
        return ""
    digits = 2 if milliseconds < 1 else 1 if milliseconds < 100 else 0
    return f"{milliseconds:.{digits}f}"


def cluster_rows(info: dict[str, t.Any]) -> list[Row]:
    """The state of Lantern in the cluster, from the result of loadbalancer_services_info."""
    told = []
    deploy = "ansible-playbook playbooks/site.yml --tags deploy"
    for name, seen in (("controller", info["controller"]), ("speaker", info["speaker"])):
        why = () if seen["ready"] else ("It was not deployed, or its pods fail: the stage shows their logs.",)
        told.append(Verdict(name, GOOD if seen["ready"] else BAD, seen["text"], why, deploy if why else ""))
    if info.get("stale"):
        why = ("Until it is corrected the last configuration without such a fault stays in force.",)
        told.append(Verdict("configuration", BAD, info["stale"], why, deploy))
    if info["pools"]:
        text = "; ".join(f"{pool['name']}: {', '.join(pool['addresses'])}" for pool in info["pools"])
        told.append(Verdict("pools", GOOD, text))
    else:
        told.append(Verdict("pools", BAD, "there is no IPAddressPool", ("lantern_pools is not deployed.",), deploy))
    return [Row("cluster", "", verdict) for verdict in told]


def waiting_rows(info: dict[str, t.Any]) -> list[Row]:
    """The Services without address."""
    return [
        Row(
            service["name"],
            "pending",
            Verdict(
                "Service",
                BAD,
                "has no address yet",
                (service["waiting"],),
                "kubectl -n {0} describe service {2}".format(*service["name"].partition("/")),
            ),
        )
        for service in info["services"]
        if not service["addresses"]
    ]


def probe_rows(probes: t.Sequence[dict[str, t.Any]]) -> list[Row]:
    """The hops of each probed address, from the results of service_probe."""
    return [
        Row(probe["service"], probe["address"], Verdict(**verdict)) for probe in probes for verdict in probe["verdicts"]
    ]


def table(rows: t.Sequence[Row]) -> list[str]:
    """The rows as aligned text, the header first; numbers to the right, the last column not padded."""
    lines = [COLUMNS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS) - 1)]
    return ["  ".join([*_aligned(line, widths), line[-1]]).rstrip() for line in lines]


def _aligned(line: t.Sequence[str], widths: t.Sequence[int]) -> t.Iterator[str]:
    for column, (cell, width) in enumerate(zip(line, widths)):
        yield cell.rjust(width) if column == MS_COLUMN else cell.ljust(width)


def broken(rows: t.Sequence[Row]) -> list[Row]:
    """The first bad hop of each address of each Service, and every bad part of the cluster."""
    found: dict[tuple[str, str, str], Row] = {}
    for row in rows:
        key = (row.subject, row.address, row.verdict.hop if row.subject == "cluster" else "")
        if row.verdict.result == BAD:
            found.setdefault(key, row)
    return list(found.values())


def complaint(rows: t.Sequence[Row]) -> str:
    """Each broken hop with its likely causes and the command against it; "" if none is broken."""
    lines = []
    for row in broken(rows):
        verdict = row.verdict
        where = f"{row.subject} {row.address}".strip()
        lines.append(f"{where}: broken at {verdict.hop}: {verdict.text}.")
        lines += [f"  {'likely' if not number else 'or'}: {cause}" for number, cause in enumerate(verdict.causes)]
        if verdict.command:
            lines.append(f"  try: {verdict.command}")
    return "\n".join(lines)


def summary(info: dict[str, t.Any], probes: t.Sequence[dict[str, t.Any]]) -> dict[str, t.Any]:
    """The report as data, for the JSON file and the page."""
    rows = cluster_rows(info) + waiting_rows(info) + probe_rows(probes)
    bad = broken(rows)
    return {
        "good": not bad,
        "rows": [dict(row.verdict._asdict(), subject=row.subject, address=row.address) for row in rows],
        "broken": [dict(row.verdict._asdict(), subject=row.subject, address=row.address) for row in bad],
        "probes": [_digest(probe, info) for probe in probes],
        "services": info["services"],
        "nodes": info["nodes"],
        "pools": info["pools"],
    }


def _digest(probe: dict[str, t.Any], info: dict[str, t.Any]) -> dict[str, t.Any]:
    """One tried address without its verdicts; `foreign` are MACs that answer for it and are no node's."""
    kept = {key: probe[key] for key in ("service", "address", "good", "broken", "macs", "node", "source", "gateway")}
    service = next((one for one in info["services"] if one["name"] == probe["service"]), {})
    nodes = {mac.lower() for macs in probe["node_macs"].values() for mac in macs}
    foreign = [mac for mac in probe["macs"] if nodes and mac.lower() not in nodes]
    return dict(kept, owners=(service.get("owners") or {}).get(probe["address"]) or [], foreign=foreign)
