# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration of MetalLB 0.3 to 0.12: the YAML text under the key "config" of the ConfigMap "config".

All formats of these versions are parts of the last one, so there is nothing to tell them apart by; only the names that
0.6 dropped (protocols arp and ndp, cidr, arp-network) are read as well, as 0.5 did. Reading is strict: what is not
known is an error. BGP parts are read, too: a configuration is right or wrong as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lantern.core.communities import Aliases, alias_problems
from lantern.core.legacy_bgp import (
    LegacyAdvertisement,
    LegacyBfdProfile,
    LegacyPeer,
    read_advertisements,
    read_bfd_profiles,
    read_peers,
)
from lantern.core.model import ObjectRef, PoolSpec
from lantern.core.strict import Section
from lantern.pools import AddressRange, Pool, Problem, parse_network, parse_range, problems

LEGACY_KEY = "config"
"""Under which key of the ConfigMap the text is."""
LAYER2 = "layer2"
BGP = "bgp"
_OLD_PROTOCOLS = {"arp": LAYER2, "ndp": LAYER2}


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyPool:
    """An entry of "address-pools"; None: not written."""

    name: str
    protocol: str
    addresses: tuple[str, ...] = ()
    auto_assign: bool | None = None
    avoid_buggy_ips: bool | None = None
    advertisements: tuple[LegacyAdvertisement, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Legacy:
    """A ConfigMap as read. With problems, what can be read of it is there all the same."""

    where: str = "ConfigMap"
    object: ObjectRef | None = None
    created: str = ""
    pools: tuple[LegacyPool, ...] = ()
    peers: tuple[LegacyPeer, ...] = ()
    communities: Mapping[str, str] = field(default_factory=dict)
    bfd_profiles: tuple[LegacyBfdProfile, ...] = ()
    problems: tuple[Problem, ...] = ()

    def place(self, pool: str) -> str:
        """How a problem names one of the pools."""
        return f'{self.where}, address pool "{pool}"'

    def pool_specs(self) -> tuple[PoolSpec, ...]:
        """The pools as the allocation knows them."""
        return tuple(
            PoolSpec(
                pool=Pool(item.name, item.addresses, item.auto_assign is not False, item.avoid_buggy_ips is True),
                created=self.created,
            )
            for item in self.pools
        )

    def announced(self) -> frozenset[str]:
        """The names of the pools that nodes answer for in the LAN."""
        return frozenset(item.name for item in self.pools if item.protocol == LAYER2)


def read_legacy(tree: object, where: str, ref: ObjectRef | None = None, created: str = "") -> Legacy:
    """Read the parsed YAML text (mappings, lists, and scalars as text); `where` names it for people."""
    found: list[Problem] = []
    root = Section(tree, where, found)
    profiles = read_bfd_profiles(root.sections("bfd-profiles", "BFD profile"))
    peers = read_peers(root.sections("peers", "peer"), {profile.name for profile in profiles})
    communities = root.mapping("bgp-communities")
    found += alias_problems([Aliases(f"{where}, bgp-communities", tuple(communities.items()))])
    pools = [_pool(section, communities) for section in root.sections("address-pools", "address pool")]
    root.end()
    found += _pool_problems(pools, where)
    return Legacy(
        where=where,
        object=ref,
        created=created,
        pools=tuple(pools),
        peers=peers,
        communities=communities,
        bfd_profiles=profiles,
        problems=tuple(found),
    )


def _pool(section: Section, communities: Mapping[str, str]) -> LegacyPool:
    before = len(section.found)
    name = section.needed("name", "default")
    protocol = section.needed("protocol", LAYER2)
    protocol = _OLD_PROTOCOLS.get(protocol, protocol)
    if protocol not in (LAYER2, BGP, ""):
        section.problem("malformed", f'protocol is "{protocol}", but layer2 or bgp is needed.')
    addresses = section.texts("addresses") + section.texts("cidr")
    auto_assign = section.flag("auto-assign")
    avoid_buggy_ips = section.flag("avoid-buggy-ips")
    written = section.sections("bgp-advertisements", "advertisement")
    arp_network = section.text("arp-network")
    section.end()
    if written and protocol == LAYER2:
        section.problem("malformed", "bgp-advertisements make no sense with protocol layer2. Remove them.")
    if not addresses and len(section.found) == before:
        section.missing("addresses", '["192.168.2.128/25"]')
    if arp_network is not None:
        _check_arp_network(section, arp_network, addresses)
    advertisements = read_advertisements(section, written, addresses, communities)
    return LegacyPool(
        name=name,
        protocol=protocol,
        addresses=addresses,
        auto_assign=auto_assign,
        avoid_buggy_ips=avoid_buggy_ips,
        advertisements=advertisements,
    )


def _check_arp_network(section: Section, text: str, addresses: tuple[str, ...]) -> None:
    """Its first and last address were never handed out; there is no other way to say so than by ranges without them."""
    network = parse_network(text, "arp-network")
    if isinstance(network, Problem):
        section.problem("malformed", network.message)
        return
    ranges = [item for item in map(parse_range, addresses) if isinstance(item, AddressRange)]
    for end in (network.network_address, network.broadcast_address):
        if any(end in item for item in ranges):
            message = f"arp-network {text} keeps {end} out of the pool. Write addresses as ranges without it instead."
            section.problem("malformed", message)


def _pool_problems(pools: Iterable[LegacyPool], where: str) -> list[Problem]:
    """Those of the addresses. Names may be any text here; missing ones were told already."""
    listed = [Pool(pool.name, pool.addresses) for pool in pools if pool.name and pool.addresses]
    return [
        Problem(item.code, where, f"{where}, address {item.message}")
        for item in problems(listed)
        if item.code != "bad-name"
    ]
