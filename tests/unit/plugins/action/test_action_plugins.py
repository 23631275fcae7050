# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the action plugins print, and when they fail."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from ansible_collections.homelab.lantern.plugins.action import rollout, verify_report
from ansible_collections.homelab.lantern.plugins.plugin_utils import _progress


class Task:
    def __init__(self, check_mode=False, **args):
        self.args, self.check_mode, self.async_val, self.action = args, check_mode, 0, "x"


@pytest.fixture
def printed(monkeypatch):
    lines = []
    for plugin in (_progress, verify_report):
        monkeypatch.setattr(plugin.display, "display", lambda text, color=None, **_more: lines.append((text, color)))
    return lines


def action(plugin, task):
    connection = SimpleNamespace(_shell=SimpleNamespace(tmpdir="/unused"))
    return plugin.ActionModule(task, connection, None, None, None, None)


def test_rollout_prints_each_change_and_passes_on_what_is_left_of_the_time(printed, monkeypatch):
    answers = iter(
        [
            {"ready": False, "progress": "controller 0 of 1 ready"},
            {"ready": True, "progress": "controller 1 of 1 ready"},
        ]
    )
    calls = []

    def execute(self, module_name, module_args, task_vars):
        calls.append((module_name, module_args["timeout"], module_args["previous_progress"]))
        return next(answers)

    monkeypatch.setattr(rollout.ActionModule, "_execute_module", execute)
    result = action(rollout, Task(timeout=90)).run(task_vars={})
    assert result["ready"]
    assert calls == [
        ("homelab.lantern.rollout", 90, ""),
        ("homelab.lantern.rollout", 90, "controller 0 of 1 ready"),
    ]
    assert [text.split("s  ")[1] for text, _color in printed] == ["controller 0 of 1 ready", "controller 1 of 1 ready"]


@pytest.mark.parametrize("answer", [{"failed": True, "msg": "late"}, {"changed": False}])
def test_rollout_ends_with_a_failure_or_in_check_mode(printed, monkeypatch, answer):
    monkeypatch.setattr(rollout.ActionModule, "_execute_module", lambda *_arguments, **_options: answer)
    assert action(rollout, Task()).run(task_vars={}) == answer
    assert printed == []


INFO = {
    "services": [{"name": "default/web", "addresses": ["192.168.2.130"], "waiting": ""}],
    "nodes": [],
    "controller": {"ready": True, "text": "controller 1 of 1 ready"},
    "speaker": {"ready": True, "text": "speaker 3 of 3 ready"},
    "pools": [{"name": "lan", "addresses": ["192.168.2.128/25"]}],
    "obstacle": "",
    "stale": "",
}


def probes(result):
    bad = result == "bad"
    verdict = {"hop": "ARP", "result": result, "text": "seen", "causes": ["Dust."] if bad else [],
               "command": "wipe" if bad else "", "milliseconds": 0.5}  # fmt: skip
    return [{"service": "default/web", "address": "192.168.2.130", "verdicts": [verdict]}]


def test_report_prints_a_coloured_table(printed):
    result = action(verify_report, Task(info=INFO, probes=probes("good"))).run(task_vars={})
    assert not result.get("failed") and len(result["table"]) == 5
    assert "default/web  192.168.2.130  ARP" in printed[-1][0] and printed[-1][1] == verify_report.constants.COLOR_OK


def test_report_fails_naming_hop_and_remedy_but_not_in_check_mode(printed):
    result = action(verify_report, Task(info=INFO, probes=probes("bad"))).run(task_vars={})
    assert result["failed"]
    assert result["msg"].splitlines() == [
        "default/web 192.168.2.130: broken at ARP: seen.",
        "  likely: Dust.",
        "  try: wipe",
    ]
    assert printed[-1][1] == verify_report.constants.COLOR_ERROR
    checked = action(verify_report, Task(check_mode=True, info=INFO, probes=probes("bad"))).run(task_vars={})
    assert not checked.get("failed")


def test_report_without_services_says_how_to_make_one(printed):
    action(verify_report, Task(info=dict(INFO, services=[]))).run(task_vars={})
    assert any("kubectl expose deployment" in text for text, _color in printed)


def test_report_on_a_node_says_that_little_was_proven(printed, monkeypatch):
    warned = []
    monkeypatch.setattr(verify_report.display, "warning", warned.append)
    seen = [dict(probes("good")[0], own_node="node1")]
    action(verify_report, Task(info=INFO, probes=seen)).run(task_vars={})
    assert len(warned) == 1 and "node1" in warned[0] and "group probe" in warned[0]
