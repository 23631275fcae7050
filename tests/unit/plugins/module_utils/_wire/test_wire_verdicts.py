# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts about answers from the wire, and the table made of them."""

from __future__ import annotations

import pytest
from ansible_collections.homelab.lantern.plugins.module_utils._wire import report, verdicts
from ansible_collections.homelab.lantern.plugins.module_utils._wire.verdicts import BAD, GOOD, SKIPPED, Verdict

TARGET = verdicts.Target("default/web", "192.168.2.130", endpoints=1, local=False, obstacle="")
MACS = {"node1": ["52:54:00:00:00:01"], "node2": ["52:54:00:00:00:02"]}


@pytest.mark.parametrize(
    "answers, macs, result, text, remedy",
    [
        (["52:54:00:00:00:01"], MACS, GOOD, "node1 (52:54:00:00:00:01) answers", ""),
        (["52:54:00:00:00:01"], {"n": ["52:54:00:00:00:01".upper()]}, GOOD, "n (52:54", ""),
        # without any known MAC an answer cannot be judged foreign
        (["aa:00:00:00:00:01"], {"node1": []}, GOOD, "aa:00:00:00:00:01 answers", ""),
        (["aa:00:00:00:00:01"], MACS, BAD, "is no node of this cluster", "Another device uses this address"),
        (
            ["52:54:00:00:00:01", "52:54:00:00:00:02"],
            MACS,
            BAD,
            "2 devices answer for 192.168.2.130: node1 (52:54:00:00:00:01) and node2",
            "speakers do not agree",
        ),
        ([], MACS, BAD, "nobody answers for 192.168.2.130", "No speaker announces it"),
    ],
)
def test_arp(answers, macs, result, text, remedy):
    verdict = verdicts.arp(TARGET, answers, macs)
    assert (verdict.hop, verdict.result) == ("ARP", result)
    assert text in verdict.text and remedy in verdict.remedy
    assert bool(verdict.remedy) == (result == BAD)


@pytest.mark.parametrize(
    "target, told",
    [
        (TARGET._replace(obstacle="Every node is labelled."), "Every node is labelled."),
        (TARGET._replace(endpoints=0), "kubectl -n default describe service web"),
        (TARGET._replace(local=True), "externalTrafficPolicy Local"),
    ],
)
def test_why_nobody_answers(target, told):
    assert told in verdicts.arp(target, [], MACS).remedy


@pytest.mark.parametrize(
    "target, problem, result, told",
    [
        (TARGET, "", GOOD, ""),
        (TARGET, "connection refused", BAD, "targetPort"),
        (TARGET, "no answer within 2 seconds", BAD, "kube-proxy"),
        (TARGET._replace(endpoints=0), "connection refused", BAD, "No pod behind Service default/web"),
    ],
)
def test_tcp(target, problem, result, told):
    verdict = verdicts.tcp(target, 80, problem)
    assert (verdict.hop, verdict.result) == ("TCP 80", result)
    assert told in verdict.remedy and problem in verdict.text


@pytest.mark.parametrize(
    "status, problem, result, told",
    [
        (200, "", GOOD, ""),
        (404, "", GOOD, ""),
        (503, "", BAD, "log of the pods"),
        (0, "reset", BAD, "verify_http_ports"),
    ],
)
def test_http(status, problem, result, told):
    verdict = verdicts.http(TARGET, 80, status, problem)
    assert (verdict.hop, verdict.result) == ("HTTP 80", result)
    assert told in verdict.remedy


def test_only_bad_spoils_all():
    assert verdicts.all_good([Verdict("ARP", GOOD, ""), verdicts.off_lan(TARGET, "192.168.2.1")])
    assert not verdicts.all_good([Verdict("ARP", GOOD, ""), Verdict("TCP 80", BAD, "")])
    assert verdicts.is_node(TARGET, "node1").result == SKIPPED


def info(**changes):
    return dict(
        {
            "services": [],
            "controller": {"ready": True, "text": "controller 1 of 1 ready"},
            "speaker": {"ready": True, "text": "speaker 3 of 3 ready"},
            "pools": [{"name": "lan", "addresses": ["192.168.2.128/25"]}],
            "obstacle": "",
        },
        **changes,
    )


def results(rows):
    return [(row.verdict.hop, row.verdict.result) for row in rows]


def test_cluster_rows():
    good = report.cluster_rows(info())
    assert results(good) == [("controller", GOOD), ("speaker", GOOD), ("pools", GOOD)]
    assert good[2].verdict.text == "lan: 192.168.2.128/25"
    labelled = report.cluster_rows(info(obstacle="all labelled"))
    assert results(labelled)[-1] == ("announcers", BAD)
    empty = info(
        controller={"ready": False, "text": "controller is not there"},
        speaker={"ready": False, "text": "speaker is not there"},
        pools=[],
        obstacle="no speaker",
    )
    assert results(report.cluster_rows(empty)) == [("controller", BAD), ("speaker", BAD), ("pools", BAD)]


def test_waiting_services_have_their_own_row():
    services = [
        {"name": "default/a", "addresses": ["192.168.2.130"], "waiting": ""},
        {"name": "default/b", "addresses": [], "waiting": "no available IPs. Enlarge lantern_pools."},
    ]
    (row,) = report.waiting_rows(info(services=services))
    assert row.cells()[:4] == ("default/b", "pending", "address", BAD)
    assert report.complaint([row]) == "default/b, address: has none yet. no available IPs. Enlarge lantern_pools."


def test_table_is_aligned_and_complaint_lists_bad_hops_only():
    probes = [
        {
            "service": "default/web",
            "address": "192.168.2.130",
            "verdicts": [
                Verdict("ARP", GOOD, "node1 answers")._asdict(),
                Verdict("TCP 80", BAD, "no connection", "Start it.")._asdict(),
            ],
        }
    ]
    rows = report.probe_rows(probes)
    assert report.table(rows) == [
        "subject      address        hop     result  what was seen",
        "default/web  192.168.2.130  ARP     good    node1 answers",
        "default/web  192.168.2.130  TCP 80  bad     no connection",
    ]
    assert report.complaint(rows) == "default/web, TCP 80: no connection. Start it."
    assert report.complaint(rows[:1]) == ""
