# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hops of a Service judged, and the table made of them."""

from __future__ import annotations

import pytest
from ansible_collections.homelab.lantern.plugins.module_utils._wire import hops, report
from ansible_collections.homelab.lantern.plugins.module_utils._wire.facts import (
    Answer,
    Checks,
    Facts,
    Node,
    Port,
    Refusal,
    Reply,
    Route,
    Said,
    Seen,
    Try,
)
from ansible_collections.homelab.lantern.plugins.module_utils._wire.verdicts import (
    BAD,
    GOOD,
    SKIPPED,
    Verdict,
    first_bad,
)

VIP = "192.168.2.130"
MAC1, MAC2, STRANGER = "52:54:00:00:00:01", "52:54:00:00:00:02", "aa:00:00:00:00:01"
LABEL = "node.kubernetes.io/exclude-from-external-load-balancers"
NODES = (Node("node1", ("192.168.2.11",)), Node("node2", ("192.168.2.12",)))
FACTS = Facts(
    "default/web",
    VIP,
    ports=(Port(80, node_port=30080),),
    endpoints=2,
    endpoint_nodes=("node1", "node2"),
    selector="app=web",
    pool="lan",
    pool_addresses=("192.168.2.128/25",),
    advertised=("layer2",),
    owners=("node2",),
    lans=("192.168.2.0/24",),
    nodes=NODES,
)
CONNECTED = Try(
    Port(80),
    milliseconds=1.5,
    reply=Reply(MAC2, 63),
    said=Said("HTTP", "GET / answers 200", status=200, milliseconds=2.0),
)
SEEN = Seen(
    route=Route("eth0", "192.168.2.50", ""),
    answers=(Answer(MAC2, 0.4),),
    node_macs={"node1": [MAC1], "node2": [MAC2.upper()]},
    tries=(CONNECTED,),
)
LOST = Try(Port(80, node_port=30080), "no answer within 1.5 seconds", 1500.0)


def broken(facts=FACTS, seen=SEEN):
    """The first bad hop, as (hop, its causes and command as one text)."""
    found = first_bad(hops.judge(facts, seen))
    assert found is not None and found.causes and found.command
    return found.hop, " ".join([found.text, *found.causes, found.command])


def failed(one, checks=None, **changes):
    return SEEN._replace(tries=(one,), checks=checks, **changes)


def test_a_good_way():
    judged = hops.judge(FACTS, SEEN)
    assert [(one.hop, one.result) for one in judged] == [
        (name, GOOD) for name in ("Service", "pool", "endpoints", "owner", "ARP", "TCP 80", "HTTP 80", "way back")
    ]
    assert judged[4].text == f"node2 ({MAC2}) answers" and judged[4].milliseconds == 0.4
    assert first_bad(judged) is None


@pytest.mark.parametrize(
    ("facts", "seen", "hop", "words"),
    [
        (FACTS._replace(advertised=()), SEEN, "pool", "no L2Advertisement"),
        (FACTS._replace(endpoints=0, endpoints_starting=2), SEEN, "endpoints", "readiness probe"),
        (FACTS._replace(endpoints=0), SEEN, "endpoints", "app=web"),
        (FACTS._replace(owners=("node1", "node2")), SEEN, "owner", "7946"),
        (FACTS, SEEN._replace(answers=(Answer(MAC1, 1.0),)), "ARP", "node1 has the address on a network card"),
        (FACTS, SEEN._replace(answers=(Answer(STRANGER, 1.0),)), "ARP", "Another device uses"),
        (FACTS, SEEN._replace(answers=(Answer(MAC2, 1.0), Answer(STRANGER, 2.0))), "ARP", STRANGER),
        (FACTS, SEEN._replace(answers=(Answer(MAC2, 1.0), Answer(MAC1, 2.0))), "ARP", "strictARP"),
        (FACTS, SEEN._replace(answers=(), tries=()), "ARP", "The speaker on node2 does not answer"),
    ],
)
def test_a_broken_hop_has_its_cause_and_its_command(facts, seen, hop, words):
    found, text = broken(facts, seen)
    assert found == hop
    assert words in text


def test_a_silent_owner_and_no_successor():
    nodes = (Node("node1", ("192.168.2.11",), excluded=True), NODES[1])
    seen = SEEN._replace(answers=(), tries=(), silent_nodes=("node2",))
    hop, text = broken(FACTS._replace(nodes=nodes), seen)
    assert hop == "owner"
    assert "cable of node2" in text and f"node1 is labelled {LABEL}" in text and "ping -c 3 192.168.2.12" in text


@pytest.mark.parametrize(
    ("changes", "words", "command"),
    [
        ({"excluded": True}, "is labelled", f"kubectl label node node1 {LABEL}-"),
        ({"ready": False}, "is not Ready", "kubectl describe node node1"),
        ({"speaker": False}, "has no ready speaker", "get pods"),
        ({"selected": False}, "selected by no L2Advertisement", "l2advertisements"),
    ],
)
def test_why_no_node_announces(changes, words, command):
    facts = FACTS._replace(owners=(), nodes=tuple(node._replace(**changes) for node in NODES))
    hop, text = broken(facts, SEEN._replace(answers=(), tries=()))
    assert hop == "owner" and words in text and command in text


def test_policy_local_needs_a_pod_on_the_node():
    facts = FACTS._replace(owners=(), local=True, endpoint_nodes=())
    assert "externalTrafficPolicy Local" in broken(facts, SEEN._replace(answers=(), tries=()))[1]


def test_a_stranger_is_the_fault_where_no_node_announces_because_of_it():
    seen = SEEN._replace(answers=(Answer(STRANGER, 1.0),), strangers={STRANGER: "printer.home, Epson"})
    hop, text = broken(FACTS._replace(owners=()), seen)
    assert hop == "ARP" and "printer.home, Epson" in text


def test_without_known_owner_the_wire_tells():
    judged = hops.judge(FACTS._replace(owners=(), pool="", advertised=None), SEEN)
    assert first_bad(judged) is None
    assert [one.hop for one in judged if one.result == SKIPPED] == ["pool", "owner"]


@pytest.mark.parametrize(
    ("one", "checks", "proxy", "words"),
    [
        (LOST._replace(refusal=Refusal("192.168.2.12", "prohibited")), None, None, "firewall of 192.168.2.12 rejects"),
        (LOST, Checks("", "connection refused"), None, "kube-proxy does not run on node2"),
        (LOST, None, False, "kube-proxy does not run on node2"),
        (LOST, Checks("no answer within 1.5 seconds", "no answer within 1.5 seconds"), None, "firewall of node2 drops"),
        (LOST, Checks("", "", {"node1": "", "node2": "no answer within 1.5 seconds"}), None, "firewall of node2 drops"),
        (LOST._replace(refusal=Refusal("192.168.2.12", "host")), Checks(), None, "kube-proxy has set no rule"),
        (LOST._replace(problem="connection refused"), Checks(), None, "targetPort"),
        (LOST, Checks(), None, "drops it"),
        (LOST, None, None, "drops it"),
    ],
)
def test_why_no_connection_can_be_made(one, checks, proxy, words):
    nodes = (NODES[0], NODES[1]._replace(proxy=proxy))
    hop, text = broken(FACTS._replace(nodes=nodes), failed(one, checks))
    assert hop == "TCP 80" and words in text


def test_a_pool_outside_the_lan_is_bad_only_if_nothing_leads_there():
    facts = FACTS._replace(address="10.9.9.1", pool_addresses=("10.9.9.0/24",))
    routed = SEEN._replace(route=Route("eth0", "192.168.2.50", "192.168.2.1"), answers=(), gateway_macs=("gw",))
    assert broken(facts, routed._replace(tries=(LOST,)))[0] == "pool"
    judged = hops.judge(facts, routed)
    assert first_bad(judged) is None and "outside the LAN 192.168.2.0/24, but there is a route" in judged[1].text


@pytest.mark.parametrize(
    ("address", "lans", "told"),
    [
        ("10.9.9.1", ("192.168.2.0/24", "fd00::/64"), "the LAN 192.168.2.0/24"),
        ("10.9.9.1", ("192.168.2.0/24", "192.168.3.0/24"), "the LANs 192.168.2.0/24, 192.168.3.0/24"),
        ("192.168.3.9", ("192.168.2.0/24", "192.168.3.0/24"), ""),
        ("fd00:9::1", ("192.168.2.0/24",), ""),
        ("fd00:9::1", ("192.168.2.0/24", "fd00::/64"), "the LAN fd00::/64"),
        ("10.9.9.1", ("home",), ""),
    ],
)
def test_what_is_outside_the_lans_of_its_family(address, lans, told):
    assert hops.outside_lan(FACTS._replace(address=address, lans=lans)) == told


@pytest.mark.parametrize(
    ("changes", "hop", "words"),
    [
        ({"gateway_macs": (), "tries": ()}, "gateway", "default gateway is wrong"),
        ({"tries": (LOST._replace(refusal=Refusal("192.168.3.1", "net")),)}, "TCP 80", "has no route to it"),
        ({"tries": (LOST,)}, "TCP 80", "does not pass it on"),
        ({"tries": (LOST._replace(refusal=Refusal("192.168.2.12", "prohibited")),)}, "TCP 80", "firewall"),
    ],
)
def test_from_another_lan(changes, hop, words):
    far = SEEN._replace(route=Route("eth0", "192.168.3.9", "192.168.3.1"), answers=(), gateway_macs=("gw",))
    found, text = broken(FACTS, far._replace(**changes))
    assert found == hop and words in text


def test_from_another_lan_arp_cannot_be_seen_and_the_way_back_is_compared_with_the_gateway():
    far = SEEN._replace(route=Route("eth0", "192.168.3.9", "192.168.3.1"), answers=(), gateway_macs=(MAC2,))
    told = {one.hop: one for one in hops.judge(FACTS, far)}
    assert told["ARP"].result == SKIPPED and told["gateway"].result == GOOD
    assert "as the way there" in told["way back"].text
    other = {one.hop: one for one in hops.judge(FACTS, far._replace(gateway_macs=("gw",)))}
    assert "two routers" in other["way back"].text


def test_an_answer_from_another_node_is_remarked():
    crooked = CONNECTED._replace(reply=Reply(MAC1, 63))
    assert "though node2" in hops.judge(FACTS, SEEN._replace(tries=(crooked,)))[-1].text


def test_on_a_node_only_arp_means_anything():
    told = {one.hop: one for one in hops.judge(FACTS, SEEN._replace(own_node="node1", tries=(LOST,)))}
    assert told["ARP"].result == GOOD and told["TCP 80"].result == SKIPPED
    owner = {one.hop: one for one in hops.judge(FACTS, SEEN._replace(own_node="node2", answers=()))}
    assert owner["ARP"].result == SKIPPED and "its owner node2" in owner["ARP"].text


@pytest.mark.parametrize(
    ("said", "result", "words"),
    [
        (Said("HTTP", "GET / answers 404", status=404), GOOD, ""),
        (Said("HTTP", "GET / answers 503", status=503), BAD, "logs service/web"),
        (Said("HTTP", "", "reset"), BAD, "verify_http_ports"),
        (Said("TLS", "", "wrong version"), BAD, "as TLS"),
        (Said("banner", "says: SSH-2.0-dropbear"), GOOD, ""),
    ],
)
def test_what_programs_say(said, result, words):
    verdict = hops.program(FACTS, CONNECTED, said)
    assert verdict.result == result and verdict.hop == f"{said.kind} 80"
    assert words in " ".join([*verdict.causes, verdict.command])


def test_udp_is_left_out_and_ipv6_has_its_own_hop():
    facts = FACTS._replace(address="fd00::130")
    judged = hops.judge(facts, SEEN._replace(tries=(Try(Port(53, "UDP")),)))
    told = {one.hop: one.result for one in judged}
    assert told["NDP"] == GOOD and told["UDP 53"] == SKIPPED and told["pool"] == GOOD
    _hop, text = broken(facts, failed(LOST))
    assert "[fd00::130]:80" in text


def info(**changes):
    return dict(
        {
            "services": [{"name": "default/web", "addresses": [VIP], "waiting": "", "owners": {VIP: ["node2"]}}],
            "controller": {"ready": True, "text": "controller 1 of 1 ready"},
            "speaker": {"ready": True, "text": "speaker 3 of 3 ready"},
            "pools": [{"name": "lan", "addresses": ["192.168.2.128/25"]}],
            "nodes": [{"name": "node2", "addresses": ["192.168.2.12"]}],
            "obstacle": "",
            "stale": "",
        },
        **changes,
    )


def probe(*verdicts):
    return {
        "service": "default/web",
        "address": VIP,
        "verdicts": [dict(one._asdict()) for one in verdicts],
        "good": all(one.result != BAD for one in verdicts),
        "broken": "",
        "macs": [MAC2, STRANGER],
        "node": "node2",
        "source": "192.168.2.50",
        "gateway": "",
        "node_macs": {"node2": [MAC2]},
    }


def test_cluster_rows():
    def results(rows):
        return [(row.verdict.hop, row.verdict.result) for row in rows]

    assert results(report.cluster_rows(info())) == [("controller", GOOD), ("speaker", GOOD), ("pools", GOOD)]
    gone = {"ready": False, "text": "is not there"}
    empty = report.cluster_rows(info(controller=gone, speaker=gone, pools=[]))
    assert results(empty) == [("controller", BAD), ("speaker", BAD), ("pools", BAD)]
    assert all(row.verdict.command for row in empty)
    stale = report.cluster_rows(info(stale='pool "a" overlaps pool "b".'))
    assert ("configuration", BAD) in results(stale)
    assert 'configuration: pool "a" overlaps pool "b"' in report.complaint(stale)


def test_table_is_aligned_and_the_first_broken_hop_is_complained_about():
    rows = report.probe_rows(
        [
            probe(
                Verdict("ARP", GOOD, "node1 answers", milliseconds=0.421),
                Verdict("TCP 80", BAD, "no connection", ("It is off.", "It sleeps."), "wake it", 1500.0),
                Verdict("HTTP 80", BAD, "nothing", ("The same.",), "none"),
            )
        ]
    )
    assert report.table(rows) == [
        "subject      address        hop      result    ms  what was seen",
        "default/web  192.168.2.130  ARP      good    0.42  node1 answers",
        "default/web  192.168.2.130  TCP 80   bad     1500  no connection",
        "default/web  192.168.2.130  HTTP 80  bad           nothing",
    ]
    assert report.complaint(rows).splitlines() == [
        "default/web 192.168.2.130: broken at TCP 80: no connection.",
        "  likely: It is off.",
        "  or: It sleeps.",
        "  try: wake it",
    ]
    assert report.complaint(rows[:1]) == ""


def test_waiting_services_have_their_own_row():
    services = [{"name": "default/b", "addresses": [], "waiting": "no available IPs. Enlarge lantern_pools."}]
    (row,) = report.waiting_rows(info(services=services))
    assert row.cells()[:4] == ("default/b", "pending", "Service", BAD)
    assert "kubectl -n default describe service b" in report.complaint([row])


def test_the_summary_tells_who_has_each_address():
    told = report.summary(info(), [probe(Verdict("ARP", BAD, "two", ("Stranger.",), "look"))])
    assert not told["good"] and told["broken"][0]["hop"] == "ARP"
    (tried,) = told["probes"]
    assert tried["owners"] == ["node2"] and tried["foreign"] == [STRANGER]


def test_what_is_not_meant_to_be_announced_is_not_missed():
    """announce: none in lantern_pools: who has a route reaches it all the same."""
    facts = FACTS._replace(advertised=(), unannounced=True, owners=())
    quiet = hops.judge(facts, SEEN._replace(answers=(), tries=()))
    assert first_bad(quiet) is None and hops.may_mend(facts)
    assert [(one.hop, one.result) for one in quiet[1:]] == [
        ("pool", GOOD),
        ("endpoints", GOOD),
        ("owner", SKIPPED),
        ("ARP", SKIPPED),
    ]
    routed = SEEN._replace(route=Route("eth0", "10.0.0.5", "10.0.0.1"), gateway_macs=(MAC1,), answers=(), tries=(LOST,))
    found = first_bad(hops.judge(facts, routed))
    assert found is not None and found.hop == "TCP 80", "that is looked at as ever"
