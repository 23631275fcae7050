# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What other clusters of the inventory have in the same LAN. PRIVATE to the collection, pure."""

from __future__ import annotations

from typing import Any, Mapping, NamedTuple, Sequence

from ansible_collections.homelab.lantern.plugins.module_utils._pools import Pool


class Others(NamedTuple):
    """Their pools and nodes, named `CLUSTER: NAME`, and sentences about what cannot be used."""

    pools: list[Pool]
    nodes: dict[str, str]
    problems: list[str]

    def subjects(self) -> set[str]:
        """What problems call the pools. Their names hold the cluster's, so they are none that Kubernetes takes."""
        return {f'pool "{pool.name}"' for pool in self.pools}


def others(neighbours: Sequence[Mapping[str, Any]]) -> Others:
    """From what filter cluster_neighbours returns. What is malformed is a problem of the other cluster's own plan."""
    found = Others([], {}, [])
    for one in neighbours:
        cluster = one["cluster"]
        found.nodes.update({f"{cluster}: {name}": address for name, address in one["nodes"].items() if address})
        given = one["pools"] if isinstance(one["pools"], list) else []
        for item in given:
            if not isinstance(item, Mapping):
                continue
            name, addresses = f"{cluster}: {item.get('name', '')}", item.get("addresses")
            if isinstance(addresses, list):
                found.pools.append(Pool(name, tuple(str(text) for text in addresses)))
            elif "size" in item:
                found.problems.append(
                    f'pool "{name}" gives only a size, and its cluster is in this LAN, too. Write its addresses down, '
                    "so that both clusters know them."
                )
    return found
