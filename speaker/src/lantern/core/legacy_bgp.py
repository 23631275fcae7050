# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The BGP parts of the old ConfigMap: peers, advertisements of pools, BFD profiles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from lantern.core.communities import EXAMPLES, parse_community
from lantern.core.durations import SECOND, format_duration, parse_duration
from lantern.core.model import Operator, Requirement, Selector
from lantern.core.selectors import selector_faults
from lantern.core.strict import Section
from lantern.pools import Address, AddressRange, Problem, parse_address, parse_range

DEFAULT_HOLD_TIME = 90 * SECOND
_SHORTEST_HOLD_TIME = 3 * SECOND
_HIGHEST_NUMBER = 0xFFFFFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyPeer:
    """An entry of "peers". Times in microseconds; None: not written."""

    my_asn: int = 0
    peer_asn: int = 0
    peer_address: Address | None = None
    peer_port: int | None = None
    source_address: Address | None = None
    hold_time: int = DEFAULT_HOLD_TIME
    keepalive_time: int | None = None
    router_id: Address | None = None
    password: str = ""
    bfd_profile: str = ""
    ebgp_multihop: bool | None = None
    node_selectors: tuple[Selector, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyAdvertisement:
    """An entry of a pool's "bgp-advertisements"; None: not written."""

    aggregation_length: int | None = None
    aggregation_length_v6: int | None = None
    local_pref: int | None = None
    communities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyBfdProfile:
    """An entry of "bfd-profiles". Times in milliseconds; None: not written."""

    name: str
    receive_interval: int | None = None
    transmit_interval: int | None = None
    detect_multiplier: int | None = None
    echo_interval: int | None = None
    echo_mode: bool | None = None
    passive_mode: bool | None = None
    minimum_ttl: int | None = None


def read_bfd_profiles(sections: Iterable[Section]) -> tuple[LegacyBfdProfile, ...]:
    """Problems are noted in the sections."""
    profiles: dict[str, LegacyBfdProfile] = {}
    for section in sections:
        profile = LegacyBfdProfile(
            name=section.needed("name", "default"),
            receive_interval=section.number("receive-interval", 10, 60000),
            transmit_interval=section.number("transmit-interval", 10, 60000),
            detect_multiplier=section.number("detect-multiplier", 2, 255),
            echo_interval=section.number("echo-interval", 10, 60000),
            echo_mode=section.flag("echo-mode"),
            passive_mode=section.flag("passive-mode"),
            minimum_ttl=section.number("minimum-ttl", 1, 254),
        )
        section.end()
        if profile.name in profiles:
            section.problem("duplicate-name", "there is another one of this name. Rename one of the two.")
        profiles.setdefault(profile.name, profile)
    return tuple(profiles.values())


def read_peers(sections: Iterable[Section], profiles: set[str]) -> tuple[LegacyPeer, ...]:
    """Problems are noted in the sections; `profiles` are the names of the BFD profiles."""
    peers: list[LegacyPeer] = []
    for section in sections:
        before = len(section.found)
        peer = _peer(section)
        if peer.bfd_profile and peer.bfd_profile not in profiles:
            section.problem("unknown", f'bfd-profile "{peer.bfd_profile}" is not among the bfd-profiles. Add it there.')
        if peer in peers and len(section.found) == before:
            section.problem("duplicate", "the same peer is listed before. Remove one of the two.")
        peers.append(peer)
    return tuple(peers)


def _peer(section: Section) -> LegacyPeer:
    numbers = {key: _needed_number(section, key) for key in ("my-asn", "peer-asn")}
    written = section.needed("peer-address", "10.0.0.1")
    hold_time = _duration(section, "hold-time")
    peer = LegacyPeer(
        my_asn=numbers["my-asn"],
        peer_asn=numbers["peer-asn"],
        peer_address=_address(section, "peer-address", written),
        peer_port=section.number("peer-port", 0, 65535),
        source_address=_address(section, "source-address", section.text("source-address")),
        hold_time=DEFAULT_HOLD_TIME if hold_time is None else hold_time,
        keepalive_time=_duration(section, "keepalive-time"),
        router_id=_address(section, "router-id", section.text("router-id")),
        password=section.text("password") or "",
        bfd_profile=section.text("bfd-profile") or "",
        ebgp_multihop=section.flag("ebgp-multihop"),
        node_selectors=tuple(_selector(item) for item in section.sections("node-selectors", "node selector")),
    )
    section.end()
    if 0 != peer.hold_time // SECOND < _SHORTEST_HOLD_TIME // SECOND:
        section.problem("malformed", f"hold-time {format_duration(peer.hold_time)} is neither 0s nor at least 3s.")
    if peer.keepalive_time is not None and peer.keepalive_time > peer.hold_time:
        longer = f"keepalive-time {format_duration(peer.keepalive_time)} is longer than hold-time"
        section.problem("malformed", f"{longer} {format_duration(peer.hold_time)}. Write a third of it.")
    if peer.ebgp_multihop and peer.my_asn == peer.peer_asn:
        section.problem("malformed", "ebgp-multihop is for another autonomous system, but peer-asn is my-asn.")
    return peer


def _needed_number(section: Section, key: str) -> int:
    before = len(section.found)
    value = section.number(key, 1, _HIGHEST_NUMBER)
    if value is None and len(section.found) == before:
        section.missing(key, "64512")
    return value or 0


def _address(section: Section, key: str, text: str | None) -> Address | None:
    if not text:
        return None
    address = parse_address(text, key)
    if isinstance(address, Problem):
        section.problem("malformed", address.message)
        return None
    return address


def _duration(section: Section, key: str) -> int | None:
    text = section.text(key)
    if text is None:
        return None
    value = parse_duration(text)
    if value is None:
        hint = f'Write "{text}s".' if text.isdecimal() else 'Write a time such as "90s" or "1m30s".'
        section.problem("malformed", f'{key} is "{text}", which lacks a unit or is no time. {hint}')
    return value


def _selector(section: Section) -> Selector:
    equal = [Requirement(key, Operator.IN, (value,)) for key, value in section.mapping("match-labels").items()]
    requirements = [_requirement(item) for item in section.sections("match-expressions", "expression")]
    section.end()
    selector = Selector((*equal, *(item for item in requirements if item is not None)))
    for fault in selector_faults(selector):
        section.problem("malformed", fault)
    return selector


def _requirement(section: Section) -> Requirement | None:
    key = section.needed("key", "kubernetes.io/hostname")
    operator = section.needed("operator", "In")
    values = section.texts("values")
    section.end()
    known = {item.value: item for item in Operator}
    if operator and operator not in known:
        section.problem("malformed", f'operator "{operator}" is not one of {", ".join(known)}.')
    return Requirement(key, known[operator], values) if key and operator in known else None


def read_advertisements(
    pool: Section, sections: Iterable[Section], addresses: tuple[str, ...], communities: Mapping[str, str]
) -> tuple[LegacyAdvertisement, ...]:
    """The advertisements of one pool with these addresses; problems are noted in the sections."""
    found: list[LegacyAdvertisement] = []
    for section in sections:
        advertisement = LegacyAdvertisement(
            aggregation_length=section.number("aggregation-length", 0, 32),
            aggregation_length_v6=section.number("aggregation-length-v6", 0, 128),
            local_pref=section.number("localpref", 0, _HIGHEST_NUMBER),
            communities=section.texts("communities"),
        )
        section.end()
        _check_communities(section, advertisement.communities, communities)
        _check_lengths(section, advertisement, addresses)
        if advertisement in found:
            section.problem("duplicate", "the same advertisement is listed before. Remove one of the two.")
        found.append(advertisement)
    return tuple(found)


def _check_communities(section: Section, written: tuple[str, ...], communities: Mapping[str, str]) -> None:
    for position, text in enumerate(written):
        if text not in communities and parse_community(text) is None:
            section.problem("malformed", f'"{text}" is neither a name in bgp-communities nor a community. {EXAMPLES}')
        if text in written[:position]:
            section.problem("duplicate", f'the community "{text}" is listed twice. Remove one of the two.')


def _check_lengths(section: Section, advertisement: LegacyAdvertisement, addresses: tuple[str, ...]) -> None:
    """A route may not reach beyond the pool: no entry may be smaller than what it is aggregated to."""
    lengths = {4: advertisement.aggregation_length, 6: advertisement.aggregation_length_v6}
    for text in addresses:
        item = parse_range(text)
        if not isinstance(item, AddressRange) or (length := lengths[item.version]) is None:
            continue
        widest = min(network.prefixlen for network in item.networks())
        if widest > length:
            key = "aggregation-length" if item.version == 4 else "aggregation-length-v6"
            message = f"{key} {length} reaches beyond the pool's {text}. Write {widest} or more."
            section.problem("malformed", message)
