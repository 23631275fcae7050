# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The custom resources that say the same as an old ConfigMap, named as MetalLB's own converter names them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lantern.core.durations import format_duration
from lantern.core.legacy import BGP, LAYER2, Legacy, LegacyPool
from lantern.core.legacy_bgp import LegacyAdvertisement, LegacyBfdProfile, LegacyPeer
from lantern.core.model import Operator, Selector
from lantern.pools import Problem

Resource = dict[str, Any]

_GROUP = "metallb.io"
_GOOD_NAME = re.compile(r"[a-z][-a-z0-9]{0,61}[a-z0-9]")
_LONGEST_NAME = 63
_HIGHEST_PORT = 16384


@dataclass(frozen=True, slots=True)
class Conversion:
    """The resources in the order they are printed; with problems they are not to be used."""

    resources: tuple[Resource, ...] = ()
    problems: tuple[Problem, ...] = ()


def convert(legacy: Legacy, namespace: str) -> Conversion:
    """The custom resources for a ConfigMap, in this namespace."""
    if legacy.problems:
        return Conversion(problems=legacy.problems)
    found: list[Problem] = []
    pools = _fixed_names((pool.name for pool in legacy.pools), f"{legacy.where}, address pool", found)
    profiles = _fixed_names((profile.name for profile in legacy.bfd_profiles), f"{legacy.where}, BFD profile", found)
    found += _port_problems(legacy)
    if found:
        return Conversion(problems=tuple(found))

    def named(kind: str, name: str, spec: Resource, version: str = "v1beta1") -> Resource:
        meta = {"name": name, "namespace": namespace}
        return {"apiVersion": f"{_GROUP}/{version}", "kind": kind, "metadata": meta, "spec": spec}

    made: list[Resource] = []
    for number, peer in enumerate(legacy.peers, start=1):
        made.append(named("BGPPeer", f"peer{number}", _peer(peer, profiles), "v1beta2"))
    made += [named("IPAddressPool", pools[pool.name], _pool(pool)) for pool in legacy.pools]
    made += _numbered(named, "BGPAdvertisement", _bgp_advertisements(legacy.pools, pools))
    layer2 = ({"ipAddressPools": [pools[pool.name]]} for pool in legacy.pools if pool.protocol == LAYER2)
    made += _numbered(named, "L2Advertisement", layer2)
    made += [named("BFDProfile", profiles[item.name], _bfd_profile(item)) for item in legacy.bfd_profiles]
    if legacy.communities:
        listed = [{"name": name, "value": value} for name, value in sorted(legacy.communities.items())]
        made.append(named("Community", "communities", {"communities": listed}))
    return Conversion(tuple(made))


def _numbered(named: Callable[..., Resource], kind: str, specs: Iterable[Resource]) -> list[Resource]:
    """Counted through over all pools."""
    return [named(kind, f"{kind.lower()}{number}", spec) for number, spec in enumerate(specs, start=1)]


def _fixed_names(names: Iterable[str], what: str, found: list[Problem]) -> dict[str, str]:
    """Names that Kubernetes takes, by those that the ConfigMap gives."""
    fixed: dict[str, str] = {}
    for name in names:
        candidate = _fixed(name)
        where = f'{what} "{name}"'
        if not _GOOD_NAME.fullmatch(candidate):
            message = f"{where}: Kubernetes takes no such name, and no good one can be made of it. Rename it."
            found.append(Problem("bad-name", where, message))
        elif candidate in fixed.values():
            message = f'{where} would be named "{candidate}", as another one is. Rename one of the two.'
            found.append(Problem("duplicate-name", where, message))
        fixed[name] = candidate
    return fixed


def _fixed(name: str) -> str:
    if _GOOD_NAME.fullmatch(name):
        return name
    lower = name[:_LONGEST_NAME].lower().replace("_", "-")
    first = re.search(r"[a-z]", lower)
    return lower[first.start() :].rstrip("-") if first else ""


def _port_problems(legacy: Legacy) -> Iterator[Problem]:
    for number, peer in enumerate(legacy.peers, start=1):
        if peer.peer_port is not None and not 1 <= peer.peer_port <= _HIGHEST_PORT:
            where = f"{legacy.where}, peer number {number}"
            message = (
                f"{where}: peer-port {peer.peer_port} cannot be said in a BGPPeer, which takes 1 to {_HIGHEST_PORT}."
            )
            yield Problem("malformed", where, message)


def _pool(pool: LegacyPool) -> Resource:
    return {
        "addresses": list(pool.addresses),
        **_given(autoAssign=pool.auto_assign, avoidBuggyIPs=pool.avoid_buggy_ips),
    }


def _bgp_advertisements(pools: Iterable[LegacyPool], names: Mapping[str, str]) -> Iterator[Resource]:
    for pool in pools:
        if pool.protocol == BGP:
            # A bgp pool without advertisements was announced with the default one.
            for item in pool.advertisements or (LegacyAdvertisement(),):
                yield {"ipAddressPools": [names[pool.name]], **_bgp_advertisement(item)}


def _bgp_advertisement(item: LegacyAdvertisement) -> Resource:
    return _given(
        aggregationLength=item.aggregation_length,
        aggregationLengthV6=item.aggregation_length_v6,
        localPref=item.local_pref,
        communities=list(item.communities) or None,
    )


def _peer(peer: LegacyPeer, profiles: Mapping[str, str]) -> Resource:
    return {
        "myASN": peer.my_asn,
        "peerASN": peer.peer_asn,
        "holdTime": format_duration(peer.hold_time),
        **_given(
            peerAddress=_text(peer.peer_address),
            sourceAddress=_text(peer.source_address),
            peerPort=peer.peer_port,
            keepaliveTime=None if peer.keepalive_time is None else format_duration(peer.keepalive_time),
            routerID=_text(peer.router_id),
            password=peer.password or None,
            bfdProfile=profiles.get(peer.bfd_profile),
            ebgpMultiHop=peer.ebgp_multihop,
            nodeSelectors=[_selector(item) for item in peer.node_selectors] or None,
        ),
    }


def _bfd_profile(item: LegacyBfdProfile) -> Resource:
    return _given(
        receiveInterval=item.receive_interval,
        transmitInterval=item.transmit_interval,
        detectMultiplier=item.detect_multiplier,
        echoInterval=item.echo_interval,
        echoMode=item.echo_mode,
        passiveMode=item.passive_mode,
        minimumTtl=item.minimum_ttl,
    )


def _selector(selector: Selector) -> Resource:
    """Back to the two ways of writing conditions: a label with one value, and everything else."""
    labels: dict[str, str] = {}
    expressions: list[Resource] = []
    for item in selector.requirements:
        if item.operator is Operator.IN and len(item.values) == 1 and item.key not in labels:
            labels[item.key] = item.values[0]
        else:
            values = {"values": list(item.values)} if item.values else {}
            expressions.append({"key": item.key, "operator": item.operator.value, **values})
    return _given(matchLabels=labels or None, matchExpressions=expressions or None)


def _given(**values: Any) -> Resource:
    """Without those that are None."""
    return {key: value for key, value in values.items() if value is not None}


def _text(value: object) -> str | None:
    return None if value is None else str(value)
