# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The speaker's pages of who owns what, from a whole failover machine, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from ipaddress import ip_address
from random import Random
from typing import Any

import pytest
from fakes.records import advertisement, node, pool, service
from lantern.app.announcements import AnnouncementPages, told
from lantern.app.failover import Failover, Options
from lantern.app.roster import Presence
from lantern.core.elect import owner
from lantern.core.model import Endpoint, Snapshot
from lantern.core.vips import VipIndex
from lantern.gossip.timers import Clock
from lantern.tenure import Bulletin, Tenure
from lantern.watch import messages
from lantern.watch.messages import Edition

WORD = Bulletin(ready=True, settled=True, interfaces={"eth1": bytes(6), "eth0": bytes(6)})


def packed(number: int) -> bytes:
    return ip_address(f"10.9.0.{number}").packed


def cluster(names: Iterable[str], *idle: str, vips: int = 3) -> Snapshot:
    """Services web-1 and so on; those named in `idle` have no endpoint."""
    services = [service(f"web-{number}", f"10.9.0.{number}") for number in range(1, vips + 1)]
    services += [service("bare")]
    return Snapshot(
        pools=(pool("home", "10.9.0.0/24"),),
        services=tuple(services),
        endpoints={item.key: (Endpoint("a", item.key.name not in idle),) for item in services},
        nodes={name: node(name) for name in names},
        advertisements=(advertisement(),),
    )


class Desk:
    """The speaker on node "a", two seconds after its start; `others` are heard and say what they have."""

    def __init__(self, snapshot: Snapshot, foreign: Iterable[str] = (), **others: Bulletin) -> None:
        now = 1000.0
        self.foreign = frozenset(foreign)
        self.index = VipIndex()
        self.failover = Failover("a", self.index, Options(), Random(1), Clock(0.03))
        self.failover.start(now=now)
        self.failover.set_interfaces({"eth0": bytes(6)}, now=now)
        self.failover.set_snapshot(snapshot, now=now)
        members = {name: Presence.SPEAKER for name in others} | dict.fromkeys(self.foreign, Presence.FOREIGN)
        self.failover.set_members(members, now=now)
        self._receive(others, now)
        while (due := self.failover.next_timer()) is not None and due <= 1002.0:
            now = max(due, now)
            self.failover.handle_timer(now=now)
            self.failover.drain()
            # Somebody who says something is alive.
            self._receive(others, now)

    def _receive(self, others: dict[str, Bulletin], now: float) -> None:
        for name, word in others.items():
            for data in messages.encode_bulletin(Edition(77, 1), word, now=now):
                self.failover.receive(name, data, now=now)

    def pages(self) -> AnnouncementPages:
        return AnnouncementPages("a", self.failover, self.index, lambda: self.foreign)

    def overview(self) -> dict[str, Any]:
        """As over HTTP."""
        made: dict[str, Any] = json.loads(json.dumps(self.pages().overview()))
        return made

    def page(self, name: str) -> dict[str, Any]:
        """As over HTTP."""
        made: dict[str, Any] = json.loads(json.dumps(self.pages().about(f"default/{name}")))
        return made

    def about(self, name: str) -> dict[str, Any]:
        """The entry of one Service."""
        entry: dict[str, Any] = self.page(name)["services"][f"default/{name}"]
        return entry


def test_owners_and_terms() -> None:
    theirs = {packed(1): Tenure(4, 900.0), packed(2): Tenure(2, 900.0)}
    desk = Desk(cluster("abc"), b=replace(WORD, tenures=theirs, in_use=frozenset({packed(2)})), c=WORD)
    page = desk.overview()
    assert (page["node"], page["election"], page["foreign"]) == ("a", "owner", [])
    assert page["speakers"]["b"] == {
        "ready": True,
        "settled": True,
        "leaving": False,
        "interfaces": ["eth0", "eth1"],
        "addresses": 2,
    }
    web = {"addresses": ["10.9.0.1"], "owner": "b", "term": 4, "in_use": [], "reason": None}
    assert page["services"]["default/web-1"] == web
    assert page["services"]["default/web-2"]["in_use"] == ["10.9.0.2"]
    bare = {"addresses": [], "owner": None, "term": None, "in_use": [], "reason": "noIPAllocated"}
    assert page["services"]["default/bare"] == bare
    for key, entry in page["services"].items():
        about = desk.about(key.removeprefix("default/"))
        about.pop("next")
        assert about == entry


def test_heirs_are_told_for_all_that_their_owner_has() -> None:
    theirs = {packed(1): Tenure(4, 900.0), packed(2): Tenure(2, 900.0)}
    desk = Desk(cluster("abc", vips=2), b=replace(WORD, tenures=theirs), c=replace(WORD, settled=False))
    # Each of them alone would go to the same node, perhaps; both together do not.
    assert {desk.about("web-1")["next"], desk.about("web-2")["next"]} == {"a", "c"}


def test_heirs_are_those_of_the_machine() -> None:
    desk = Desk(cluster("abc", vips=1), b=replace(WORD, tenures={packed(1): Tenure(4, 900.0)}), c=WORD)
    assert desk.about("web-1")["next"] == desk.failover.heir(desk.index.vips[packed(1)])


def test_what_nobody_owns() -> None:
    desk = Desk(cluster("abc", "web-2", vips=2), c=WORD)
    idle = {"addresses": ["10.9.0.2"], "owner": None, "term": None, "in_use": []}
    assert desk.about("web-2") == {**idle, "reason": "noServingEndpoint", "next": None}
    desk.failover._succession.owners.clear()
    assert desk.about("web-1")["owner"] is None and desk.about("web-1")["next"] == "c"
    assert desk.pages().about("default/unknown") is None and desk.pages().about("") is None


def test_metallbs_election() -> None:
    names = ["a", "b", "m"]
    desk = Desk(cluster(names, vips=8), foreign=("m",), b=replace(WORD, tenures={packed(1): Tenure(4, 900.0)}))
    page = desk.overview()
    assert page["election"] == "hash" and page["foreign"] == ["m"]
    # Only what speakers of Lantern announce is known of all at once.
    assert page["services"]["default/web-1"]["owner"] == "b"
    for number in range(1, 9):
        said, address = desk.about(f"web-{number}"), ip_address(f"10.9.0.{number}")
        assert said["owner"] == owner(address, names)
        assert said["next"] == owner(address, [name for name in names if name != said["owner"]])


def test_node_that_cannot_announce_is_not_elected() -> None:
    desk = Desk(cluster("abm"), foreign=("m",), b=replace(WORD, leaving=True))
    assert desk.overview()["addressed"] is True
    desk.failover.set_interfaces({"eth0": bytes(6)}, addressed=False, now=1003.0)
    assert desk.overview()["addressed"] is False and desk.overview()["speakers"]["a"]["interfaces"] == []
    assert {desk.about(f"web-{number}")["owner"] for number in (1, 2, 3)} == {"m"}
    assert desk.about("web-1")["next"] is None


def test_it_is_read_back() -> None:
    word = replace(WORD, tenures={packed(1): Tenure(4, 900.0)}, in_use=frozenset({packed(1)}))
    desk = Desk(cluster("abc"), b=word, c=WORD)
    page = desk.page("web-1")
    web = desk.index.service(next(key for key in desk.index.services if key.name == "web-1"))
    found = told(page, web)
    assert found is not None
    assert (found.by, found.owner, found.term, found.by_hash) == ("a", "b", 4, False)
    assert found.in_use == ("10.9.0.1",)
    assert found.heir == page["services"]["default/web-1"]["next"] and found.counts["b"] == 1
    assert set(found.speakers["c"].interfaces) == {"eth0", "eth1"} and found.speakers["c"].settled


@pytest.mark.parametrize("page", [None, [], "text", {}, {"services": {}}, {"services": {"default/web": None}}])
def test_what_is_no_such_page_tells_nothing(page: Any) -> None:
    assert told(page, service("web", "10.9.0.1")) is None


def test_another_clusters_page_tells_nothing() -> None:
    desk = Desk(cluster("a"))
    assert told(desk.page("web-1"), service("web-1", "192.168.7.7")) is None
