# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people read who want to know which node announces their Service, and why not another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fakes.records import advertisement, labelled, node, pool, service
from lantern.core.announced import Announcer
from lantern.core.elect import owner
from lantern.core.explain_announcing import Announcing, Evidence, Sighting, Told, explain_announcing
from lantern.core.explain_announcing_text import render_announcing
from lantern.core.model import ANYWAY_ANNOTATION, EXCLUDE_LABEL, Endpoint, Preference, Service, ServiceKey, Snapshot
from lantern.pools import Address
from lantern.reasons import Reason
from lantern.tenure import Bulletin

WEB = service("web", "192.168.2.128")
KEY = WEB.key
WORD = Bulletin(ready=True, settled=True, interfaces={"eth0": b"", "eth1": b""})
ADDRESS: Address = WEB.addresses[0]


def cluster(*services: Service, endpoints: tuple[str, ...] = ("node1",), **changes: Any) -> Snapshot:
    services = services or (WEB,)
    base = Snapshot(
        pools=(pool("home", "192.168.2.128/25"),),
        services=services,
        endpoints={item.key: tuple(Endpoint(name, True) for name in endpoints) for item in services},
        nodes={name: node(name) for name in ("node1", "node2", "node3")},
        advertisements=(advertisement(),),
    )
    return replace(base, **changes)


def told(owner: str = "node1", heir: str = "node2", **more: Any) -> Told:
    speakers = more.pop("speakers", {name: WORD for name in ("node1", "node2", "node3")})
    return Told(by="node3", speakers=speakers, owner=owner, heir=heir, term=4, **more)


def said(*nodes: str, of: ServiceKey = KEY, interfaces: tuple[str, ...] = ()) -> tuple[Announcer, ...]:
    return tuple(Announcer(of, name, interfaces) for name in nodes)


def explained(snapshot: Snapshot, key: ServiceKey = KEY, **evidence: Any) -> Announcing:
    found = explain_announcing(snapshot, key, Evidence(**evidence))
    assert found is not None
    return found


def reasons(found: Announcing) -> dict[str, Reason | None]:
    return {row.node: row.denied and row.denied.reason for row in found.nodes}


def states(found: Announcing) -> dict[str, str]:
    return {row.node: row.state for row in found.nodes}


def test_by_what_the_cluster_was_told_alone() -> None:
    more = tuple(service(f"s{number}", f"192.168.2.{number}") for number in (130, 131))
    nodes = {
        "node1": node("node1"),
        "node2": node("node2"),
        "node3": node("node3"),
        "node4": node("node4", labels={EXCLUDE_LABEL: ""}),
        "node5": node("node5", ready=False),
    }
    found = explained(
        cluster(WEB, *more, nodes=nodes),
        announcers=(*said("node1"), *said("node2", of=more[0].key), *said("node2", of=more[1].key)),
        sightings=[Sighting("2026-01-01T00:00:00Z", "node1", "addressConflict", "another host uses it: 02:00")],
    )
    assert render_announcing(found) == (
        """
Announcement
  state     node1 announces 192.168.2.128 on all its interfaces.
  why       owner: it has the address, and an owner stays the owner as long as it lives and may announce it
  next      node3, if node1 died now (count: of the nodes of the greatest weight it carries the fewest addresses)
  says      its ServiceL2Status
  conflict  2026-01-01T00:00:00Z on node1: another host uses it: 02:00

Nodes
  node1  announces; 1 address
  node2  could; 2 addresses (notOwner)
  node3  next; 0 addresses (notOwner)
  node4  cannot (nodeExcluded): the node is labelled node.kubernetes.io/exclude-from-external-load-balancers
         to change it: kubectl label node node4 node.kubernetes.io/exclude-from-external-load-balancers-
  node5  cannot (nodeNotReady): the node is not Ready, or unknown to the cluster
         to change it: see why node5 is not Ready, or ask in the pod of a speaker, which hears the others
"""
    )
    ignoring = explain_announcing(cluster(WEB, nodes=nodes), KEY, Evidence(), ignore_exclude_label=True)
    assert ignoring is not None and reasons(ignoring)["node4"] is Reason.NOT_OWNER


def test_by_what_a_speaker_tells() -> None:
    nodes = {name: node(name) for name in ("node1", "node2", "node3", "node4", "node5", "node6")}
    speakers = {
        "node1": WORD,
        "node2": WORD,
        "node3": replace(WORD, interfaces={}),
        "node4": replace(WORD, ready=False),
        "node5": replace(WORD, leaving=True),
    }
    found = explained(
        cluster(nodes=nodes), announcers=said("node6"), told=told(speakers=speakers, counts={"node1": 3, "node2": 1})
    )
    assert found.state == "node1 announces 192.168.2.128 on eth0 and eth1."
    assert found.source == "the speaker of node3, which hears the others (term 4)"
    assert found.next.startswith("node2, if node1 died now (only: ")
    assert reasons(found) == {
        "node1": None,
        "node2": Reason.NOT_OWNER,
        "node3": Reason.NO_CARRIER,
        "node4": Reason.STARTING,
        "node5": Reason.LEAVING,
        "node6": Reason.NO_SPEAKER,
    }
    assert states(found)["node1"] == "announces; 3 addresses"
    assert any("ServiceL2Status names node6" in note for note in found.notes)


def test_owner_that_does_not_announce_what_a_stranger_has() -> None:
    found = explained(cluster(), told=told(in_use=("192.168.2.128",), counts={"node1": 1}))
    assert found.state == "node1 owns 192.168.2.128, and does not announce 192.168.2.128."
    assert found.reason is Reason.IN_USE_ELSEWHERE and f"{ANYWAY_ANNOTATION}=true" in found.remedy
    assert states(found)["node1"] == "owns it; 1 address" and found.next.startswith("node2, if node1 died now")
    text = render_announcing(found)
    assert "  reason    inUseElsewhere: a host outside the cluster has the address\n" in text
    assert "give that host another address" in text


def test_speaker_that_tells_knows_whether_its_node_has_an_address() -> None:
    cut_off = told("", "", speakers={"node3": replace(WORD, interfaces={})}, addressed=False)
    row = next(row for row in explained(cluster(), told=cut_off).nodes if row.node == "node3")
    assert row.denied is not None and row.denied.reason is Reason.NODE_ADDRESS_LOST
    assert row.remedy == "give node3 its address back; if it has another one now, delete the pod of its speaker"


def test_interfaces_that_are_named_must_be_there() -> None:
    named = cluster(advertisements=(advertisement(interfaces=("eth1", "lan0")),))
    speakers = {"node1": WORD, "node2": replace(WORD, interfaces={"eth0": b""}), "node3": WORD}
    found = explained(named, told=told(speakers=speakers))
    assert found.state.endswith("on eth1.")
    denied = next(row.denied for row in found.nodes if row.node == "node2")
    assert denied is not None and denied.reason is Reason.NO_INTERFACE
    assert denied.sentence == "it needs eth1 and lan0 with a carrier, and has eth0"
    by_status = explained(named, announcers=said("node1", interfaces=("lan0",)))
    assert by_status.state.endswith("on lan0.")


def test_weights_decide_before_all_else() -> None:
    preferred = advertisement(preferences=(Preference(50, labelled(fast="yes")),))
    nodes = {
        "node1": node("node1"),
        "node2": node("node2", labels={"fast": "yes"}),
        "node3": node("node3", labels={"fast": "yes"}),
    }
    snapshot = cluster(nodes=nodes, advertisements=(preferred,))
    away = explained(snapshot, told=told("node1", "node2", counts={"node2": 1, "node3": 1}))
    assert away.why.startswith("owner: ")
    assert away.why.endswith("; node2 and node3 of greater weight would get it once settled")
    assert states(away)["node2"] == "next; weight 50, 1 address"
    nodes["node3"] = node("node3")
    home = explained(cluster(nodes=nodes, advertisements=(preferred,)), told=told("node2", "node1"))
    assert home.why == "weight: preferredNodeSelectors give it the greatest weight"


@pytest.mark.parametrize(
    ("counts", "settled", "basis"),
    [
        ({"node1": 1, "node2": 1, "node3": 2}, "node2 node3", "count"),
        ({"node1": 1, "node2": 1, "node3": 1}, "node2 node3", "hash"),
        ({"node1": 1, "node2": 5, "node3": 1}, "node2", "settled"),
    ],
)
def test_what_the_next_election_turns_on(counts: dict[str, int], settled: str, basis: str) -> None:
    speakers = {name: replace(WORD, settled=name in settled) for name in ("node1", "node2", "node3")}
    found = explained(cluster(), told=told("node1", "node2", speakers=speakers, counts=counts))
    assert f"({basis}: " in found.next


def test_metallbs_election_is_by_weight_and_hash() -> None:
    names = ["node1", "node2", "node3"]
    elected = owner(ADDRESS, names)
    assert elected is not None
    heir = owner(ADDRESS, [name for name in names if name != elected])
    assert heir is not None
    speakers = {name: WORD for name in names if name != heir}
    found = explained(cluster(), told=told(elected, heir, by_hash=True, speakers=speakers, foreign={heir}))
    assert found.why.startswith("hash: ") and "(hash: " in found.next
    assert reasons(found)[heir] is Reason.NOT_OWNER
    assert any("MetalLB's" in note for note in found.notes)


def test_nodes_that_cannot_for_what_the_api_server_knows() -> None:
    local = service("web", "192.168.2.128", local_traffic_only=True)
    nodes = {
        "node1": node("node1", labels={"role": "edge"}),
        "node2": node("node2", labels={"role": "edge"}),
        "node3": node("node3"),
        "node4": node("node4", labels={"role": "edge"}, network_unavailable=True),
    }
    snapshot = cluster(local, nodes=nodes, advertisements=(advertisement(node_selectors=(labelled(role="edge"),)),))
    found = explained(snapshot, announcers=said("node1"))
    assert reasons(found) == {
        "node1": None,
        "node2": Reason.NODE_WITHOUT_ENDPOINT,
        "node3": Reason.NODE_NOT_SELECTED,
        "node4": Reason.NODE_NETWORK_UNAVAILABLE,
    }
    assert all(row.remedy for row in found.nodes if row.denied is not None)
    assert found.why.startswith("only: ") and found.next == "nobody: no node but node1 can announce it"


def test_an_owner_that_should_go() -> None:
    nodes = {"node1": node("node1", labels={EXCLUDE_LABEL: ""}), "node2": node("node2")}
    found = explained(cluster(nodes=nodes), announcers=said("node1"))
    assert found.why.startswith("it has the address but should hand it over (nodeExcluded): ")
    assert states(found)["node1"] == "announces, but should not"
    gone = explained(cluster(), announcers=said("node9"))
    assert gone.why == "the cluster has no such Node any more"
    late = explained(cluster(nodes={"node1": node("node1", ready=False)}), announcers=said("node1"))
    assert late.notes == ("that node is not Ready: what the cluster was told may be out of date",)


def test_services_that_share_an_address_go_together() -> None:
    shares = {"allow-shared-ip": "k"}
    web, ssh = (
        service("web", "192.168.2.128", asks=shares),
        service("ssh", "192.168.2.128", asks=shares, local_traffic_only=True),
    )
    found = explained(cluster(web, ssh, endpoints=("node2",)), web.key, announcers=said("node2", of=web.key))
    row = next(row for row in found.nodes if row.node == "node1")
    assert row.denied is not None and row.denied.reason is Reason.NODE_WITHOUT_ENDPOINT
    assert row.denied.sentence.endswith(", for default/ssh, which shares the address")
    assert found.notes == ("it goes with default/ssh, which share its addresses, always to one node",)
    assert states(found)["node2"] == "announces; 1 address"


def test_several_or_none_that_announce() -> None:
    two = explained(cluster(), announcers=said("node2", "node1"))
    assert two.state == "node1 and node2 announce 192.168.2.128, each of them."
    assert "lantern members" in two.notes[0]
    none = explained(cluster())
    assert none.state == "Nobody announces 192.168.2.128, as far as is known."
    assert ", which is to take it (hash: " in none.next and not none.why and not none.source
    empty = explained(cluster(nodes={}))
    assert empty.next == "nobody: no node can announce it" and empty.nodes == ()
    by_event = explained(cluster(), assigned="node2")
    assert by_event.state.startswith("node2 announces ") and "out of date" in by_event.source


@pytest.mark.parametrize(
    ("snapshot", "reason"),
    [
        (cluster(endpoints=()), Reason.NO_SERVING_ENDPOINT),
        (cluster(advertisements=()), Reason.NO_ADVERTISEMENT),
        (cluster(pools=()), Reason.ADDRESS_NOT_IN_POOL),
        (cluster(service("web")), Reason.NO_ADDRESS),
    ],
)
def test_what_no_node_may_announce(snapshot: Snapshot, reason: Reason) -> None:
    found = explained(snapshot, announcers=said("node1"))
    assert found.reason is reason and found.nodes == ()
    assert found.notes == ("its ServiceL2Status still names node1",)
    text = render_announcing(found)
    assert f"  reason    {reason.value}: {reason.meaning}\n" in text
    assert ("  to change" in text) == (reason is not Reason.NO_ADDRESS)


def test_what_is_not_the_speakers_business() -> None:
    for snapshot in (
        cluster(service("web", "192.168.2.128", is_load_balancer=False)),
        cluster(service("web", "192.168.2.128", lb_class="cilium")),
        cluster(service("other")),
    ):
        assert explain_announcing(snapshot, KEY, Evidence()) is None


def test_conflicts_that_are_not_over() -> None:
    def seen(second: int, reason: str, message: str) -> Sighting:
        return Sighting(f"2026-01-01T00:00:{second:02}Z", "node1", reason, message)

    found = explained(
        cluster(endpoints=()),
        sightings=[
            seen(1, "addressInUse", "02:aa has it"),
            seen(2, "addressFree", "free"),
            seen(3, "addressConflict", "02:bb"),
            seen(4, "addressConflict", "02:bb"),
            seen(5, "addressInUse", "02:cc has it"),
        ],
    )
    assert [(item.at[-3:-1], item.message) for item in found.conflicts] == [("04", "02:bb"), ("05", "02:cc has it")]
