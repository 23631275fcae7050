# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows the cluster change by change is always as if it was made anew of what there is now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

from fakes.records import advertisement, labelled, node, pool, service
from hypothesis import given, settings
from hypothesis import strategies as st
from lantern.adapters.kube.convert import Slice
from lantern.app.decision_reports import DecisionReports
from lantern.app.service_endpoints import ServiceEndpoints
from lantern.app.standing import Standing
from lantern.core.announce import Claim, Decision, Vantage, Verdict, Withheld, decide
from lantern.core.candidates import announced_part
from lantern.core.diff import difference, replaced
from lantern.core.freshness import FreshAddresses
from lantern.core.model import EXCLUDE_LABEL, Endpoint, Service, ServiceKey, Snapshot
from lantern.core.requests import Denied
from lantern.core.vips import VipIndex, VipKey
from lantern.metrics import SpeakerMetrics
from lantern.reasons import Reason
from lantern.tenure import Bulletin, Tenure
from prometheus_client import CollectorRegistry

NODES = ("a", "b", "c")
ADDRESSES = tuple(f"10.9.0.{number}" for number in range(1, 5))


@st.composite
def services(draw: st.DrawFn) -> tuple[Service, ...]:
    """Few names and addresses, so that they meet again and share."""
    names = draw(st.lists(st.sampled_from("uvwxyz"), unique=True))
    found = []
    for name in names:
        made = service(
            name,
            *draw(st.lists(st.sampled_from(ADDRESSES), max_size=2, unique=True)),
            asks=draw(st.sampled_from(({}, {"allow-shared-ip": "k"}, {"address-pool": "p"}))),
            labels=draw(st.sampled_from(({}, {"app": "web"}))),
            ports=(("TCP", draw(st.integers(1, 3))),),
            local_traffic_only=draw(st.booleans()),
            is_load_balancer=draw(st.sampled_from((True, True, True, False))),
            lb_class=draw(st.sampled_from(("", "", "", "cloud"))),
        )
        found.append(made)
    return tuple(found)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    listed = draw(services())
    serving = st.lists(st.sampled_from(NODES), max_size=2, unique=True)
    ads = st.sampled_from(
        (
            (advertisement(),),
            (advertisement(service_selectors=(labelled(app="web"),)), advertisement("some", interfaces=("eth0",))),
            (),
        )
    )
    names = draw(st.sets(st.sampled_from(NODES), min_size=1))
    labels = {EXCLUDE_LABEL: ""} if draw(st.integers(0, 5)) == 0 else {}
    return Snapshot(
        pools=(pool("home", "10.9.0.0/24"),),
        services=listed,
        endpoints={item.key: tuple(Endpoint(name, True) for name in draw(serving)) for item in listed},
        nodes={name: node(name, labels=labels if name == "a" else {}) for name in names},
        advertisements=draw(ads),
    )


def following(before: Snapshot, after: Snapshot, keep: bool) -> Snapshot:
    """The later state; with `keep` in the world of the one before, and with its objects where they are equal."""
    if not keep:
        return after
    known = {item.key: item for item in before.services}
    held = tuple(known[item.key] if known.get(item.key) == item else item for item in after.services)
    return replace(after, services=held, nodes=before.nodes, advertisements=before.advertisements)


@st.composite
def histories(draw: st.DrawFn) -> list[Snapshot]:
    found = [draw(snapshots())]
    for _ in range(draw(st.integers(0, 4))):
        found.append(following(found[-1], draw(snapshots()), draw(st.booleans())))
    return found


def shown(index: VipIndex) -> tuple[Any, ...]:
    return index.vips, index.vip_of, index.denied, index.entries, set(index.services)


@given(histories())
def test_index_is_as_if_made_anew_and_names_what_changed(history: list[Snapshot]) -> None:
    index = VipIndex()
    for state in history:
        before = dict(index.entries)
        candidacy = index.candidacy
        changed = index.update(state)
        anew = VipIndex()
        anew.update(state)
        assert shown(index) == shown(anew)
        assert index.denied.keys() == {key for key, entry in index.entries.items() if entry.vip is None}
        shared = {vip.candidates: vip.candidates for vip in index.vips.values()}
        assert all(vip.candidates is shared[vip.candidates] for vip in index.vips.values())
        for key in before.keys() | index.entries.keys():
            known, now = before.get(key), index.entries.get(key)
            if key not in changed and candidacy is index.candidacy:
                assert known is not None and now is not None
                assert (known.service, known.found) == (now.service, now.found)
            if known is now and known is not None and known.vip is not None:
                assert index.vips[known.vip.key] is known.vip, "what stays the same object has the VIP that there is"


@st.composite
def words(draw: st.DrawFn) -> tuple[Bulletin, dict[VipKey, str], dict[str, Any]]:
    """What node a says of itself, who owns what, and what a has. Mostly a is in order."""
    addresses = st.sampled_from([ip_address(address).packed for address in ADDRESSES])
    owners = draw(st.dictionaries(addresses, st.sampled_from(NODES)))
    word, has = Bulletin(ready=True, interfaces={"eth0": bytes(6)}), {"present": frozenset({"eth0"}), "addressed": True}
    if draw(st.integers(0, 3)) == 0:
        interfaces = draw(st.sampled_from(({"eth0": bytes(6)}, {"eth1": bytes(6)}, {})))
        word = Bulletin(ready=draw(st.booleans()), leaving=draw(st.booleans()), interfaces=interfaces)
        present = frozenset(draw(st.sampled_from((("eth0",), ("eth0", "eth1"), ()))))
        has = {"present": present, "addressed": draw(st.booleans())}
    tenures = {key: Tenure(1, 0.0) for key in draw(st.sets(addresses))}
    return replace(word, tenures=tenures), owners, has


@given(histories(), st.lists(words(), min_size=1, max_size=4))
def test_standing_is_as_if_made_anew_and_keeps_what_stays(
    history: list[Snapshot], said: list[tuple[Bulletin, dict[VipKey, str], dict[str, Any]]]
) -> None:
    index = VipIndex()
    standing = Standing("a", index)
    current = Decision()
    for state in history:
        index.update(state)
        for word, owners, has in said:
            anew = Standing("a", index)
            for made in (standing, anew):
                made.present, made.addressed = has["present"], has["addressed"]
            decided, expected = standing.decision(word, owners), anew.decision(word, owners)
            assert expected is not None
            assert (decided or current) == expected
            assert list((decided or current).verdicts) == sorted(expected.verdicts)
            if decided is not None and current.verdicts:
                assert decided != current, "nothing new is told"
                same = decided.verdicts.keys() - replaced(current.verdicts, decided.verdicts)
                assert same == {
                    key for key, verdict in decided.verdicts.items() if current.verdicts.get(key) == verdict
                }
            current = decided or current


@given(st.lists(services(), max_size=6))
def test_freshness_is_what_appeared_since(history: list[tuple[Service, ...]]) -> None:
    fresh = FreshAddresses()
    present: set[Any] = set()
    expected: set[Any] = set()
    early: set[Any] | None = None
    for listed in history:
        now = {address for item in listed for address in item.addresses}
        expected = (expected | now - present) & now
        early = expected if early is None else early & expected
        present = now
        fresh.observe(listed)
        assert fresh.addresses(by_hash=False) == expected
        assert fresh.addresses(by_hash=True) == expected - early
        for item in listed[:1]:
            claims = tuple(
                Claim(address=address, service=item, pool="home", interfaces=None) for address in item.addresses
            )
            fresh.decided(Decision({item.key: claims} if claims else {}), lambda address: False)
            expected = expected - set(item.addresses)
            early &= expected


@given(snapshots())
def test_what_a_speaker_leaves_out_of_a_service_decides_nothing(whole: Snapshot) -> None:
    part = replace(whole, services=tuple(map(announced_part, whole.services)))
    vantage = Vantage(node="a", interfaces=frozenset({"eth0"}))
    assert plain(decide(part, vantage)) == plain(decide(whole, vantage))
    index, other = VipIndex(), VipIndex()
    index.update(part)
    other.update(whole)
    assert (index.vips, index.denied) == (other.vips, other.denied)


def plain(decision: Decision) -> dict[ServiceKey, Any]:
    return {
        key: verdict.denied
        if isinstance(verdict, Withheld)
        else [(claim.address, claim.pool, claim.interfaces) for claim in verdict]
        for key, verdict in decision.verdicts.items()
    }


@st.composite
def decisions(draw: st.DrawFn) -> Decision:
    verdicts: dict[ServiceKey, Verdict] = {}
    reasons = st.sampled_from((Reason.NOT_OWNER, Reason.NO_INTERFACE, Reason.STARTING))
    for item in draw(services()):
        if item.addresses and draw(st.booleans()):
            verdicts[item.key] = tuple(
                Claim(address=address, service=item, pool="home", interfaces=None) for address in item.addresses
            )
        else:
            verdicts[item.key] = Withheld(service=item, denied=Denied(draw(reasons), "x"))
    return Decision(dict(sorted(verdicts.items(), key=lambda entry: entry[0])))


class Recorder:
    """Stands in for the queue of Events."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def record(self, target: Service, kind: str, reason: str, message: str, code: str = "") -> None:
        self.told.append((target.key.name, reason))


def series(registry: CollectorRegistry, name: str) -> dict[str, float]:
    return {
        sample.labels["ip"] + " " + sample.labels["service"] if "ip" in sample.labels else sample.labels["reason"]: (
            sample.value
        )
        for family in registry.collect()
        for sample in family.samples
        if sample.name == name
    }


@given(st.lists(decisions(), max_size=6))
@settings(max_examples=50)
def test_metrics_are_as_if_only_the_last_decision_was_ever_told(history: list[Decision]) -> None:
    registry, recorder = CollectorRegistry(), Recorder()
    reports = DecisionReports("a", recorder, SpeakerMetrics(registry))  # type: ignore[arg-type]
    before = Decision()
    for decided in history:
        recorder.told.clear()
        reports.tell(decided)
        expected = {f"{claim.address} {claim.service.key}": 1.0 for claim in decided.claims}
        assert series(registry, "metallb_speaker_announced") == expected
        counted: dict[str, float] = {}
        for item in decided.withheld:
            counted[item.denied.reason.value] = counted.get(item.denied.reason.value, 0) + 1
        assert series(registry, "lantern_services_withheld") == counted
        assert sorted(recorder.told) == sorted(events(before, decided))
        before = decided


def events(before: Decision, after: Decision) -> list[tuple[str, str]]:
    """One for each Service that is announced with other addresses, or has no interface now."""

    def addresses(decision: Decision) -> Mapping[ServiceKey, list[Any]]:
        found: dict[ServiceKey, list[Any]] = {}
        for claim in decision.claims:
            found.setdefault(claim.service.key, []).append(claim.address)
        return found

    def missing(decision: Decision) -> set[ServiceKey]:
        return {item.service.key for item in decision.withheld if item.denied.reason is Reason.NO_INTERFACE}

    news = difference(addresses(before), addresses(after))
    assigned = [(key.name, "nodeAssigned") for key in (*news.gained, *news.changed)]
    return assigned + [(key.name, "announceFailed") for key in missing(after) - missing(before)]


@given(st.lists(st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from(NODES)), max_size=5), max_size=4))
def test_endpoints_are_all_of_each_service(history: list[list[tuple[str, str]]]) -> None:
    remembered = ServiceEndpoints()
    for listed in history:
        slices = tuple(Slice(ServiceKey("default", name), (Endpoint(on, True),)) for name, on in listed)
        found = remembered.of((*slices, Slice(None, ())))
        assert {key.name: [item.node for item in endpoints] for key, endpoints in found.items()} == {
            name: [on for other, on in listed if other == name] for name, _ in listed
        }


@given(*(st.dictionaries(st.integers(0, 9), st.integers(0, 3)) for _ in range(2)))
def test_what_is_replaced_is_at_least_what_differs(before: dict[int, int], after: dict[int, int]) -> None:
    news = difference(before, after)
    differing = {*news.gained, *news.changed, *news.lost}
    assert differing == {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    assert differing <= replaced(before, after)
    assert replaced(before, dict(before)) == set()
