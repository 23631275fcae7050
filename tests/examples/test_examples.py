# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The EXAMPLES that people copy: every one is a task that Ansible reads, with options that the module takes.

Filters are run for real, modules in check mode on a host without network. Where that says nothing, for want of a router
or a cluster, the options are still judged by the specification that the module itself gives to Ansible.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils import basic
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

PROJECT = Path(__file__).resolve().parents[2]
PREFIX = "homelab.lantern."
COLLECTION = "ansible_collections.homelab.lantern"
# What modules say whose examples take more than a host, by words of theirs.
NEEDS = {
    "cluster_health": "kubeconfig",
    "cluster_objects": "kubeconfig",
    "control_plane_announcers": "kubeconfig",
    "dhcp_api_reservation": "reserve_api_url",
    "dhcp_reservation": "Is Kea installed on this host",
    "dnsmasq_reservation": "Is dnsmasq installed on this host",
    "image": "Containerfile",
    "loadbalancer_conflicts": "kubeconfig",
    "loadbalancer_release": "kubeconfig",
    "loadbalancer_services_info": "kubeconfig",
    "metallb_takeover": "kubeconfig",
    "node_announcing": "kubeconfig",
    "node_drain": "kubeconfig",
    "node_image": "No container runtime",
    "openwrt_reservation": "Is it OpenWrt",
    "pool_impact_info": "kubeconfig",
    "reservation_proof": "knows no way there",
    "strict_arp": "kubeconfig",
}
# No network, no container runtime, nothing in the place of a DHCP server's settings.
ALONE = """
ip link set lo up
mount --make-rprivate /
for folder in /run /etc/kea; do mount -t tmpfs tmpfs $folder; done
exec "$@"
"""
# Of what AnsibleModule is given, what ArgumentSpecValidator takes as well.
RULES = ("mutually_exclusive", "required_together", "required_one_of", "required_if", "required_by")
TEMPLATE = re.compile(r"\{\{.*\}\}", re.DOTALL)
RUNS = {"ready": True, "text": "2 of 2 ready"}
HOME = {
    "all": {
        "vars": {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "lantern_lan": "192.168.2.0/24",
            "lantern_router": {"type": "manual", "address": "192.168.2.1"},
            "lantern_pools": [{"name": "default", "addresses": ["192.168.2.200-192.168.2.220"]}],
            # What examples take from tasks before them.
            "plan_result": "{{ lantern_pools | homelab.lantern.address_plan(lan=lantern_lan, router=lantern_router) }}",
            "services": {"services": [], "nodes": [], "pools": [], "controller": RUNS, "speaker": RUNS},
            "probes": {"results": []},
            "proofs": {"results": []},
            "vault_router_password": "secret",
            "summary": "{{ services | homelab.lantern.verify_summary(probes.results) }}",
        },
        "children": {
            "nodes": {"hosts": {f"node{number}": {"ansible_host": f"192.168.2.1{number}"} for number in (1, 2)}},
            "control_plane": {"hosts": {"node1": {}}},
        },
    }
}


def examples(path: Path) -> list[dict[str, Any]]:
    """The tasks, or plays, in a plugin's EXAMPLES."""
    for statement in ast.parse(path.read_text()).body:
        if isinstance(statement, ast.Assign) and getattr(statement.targets[0], "id", "") == "EXAMPLES":
            found: list[dict[str, Any]] = yaml.safe_load(ast.literal_eval(statement.value))
            return found
    return []


def plugins(kind: str) -> list[Path]:
    return sorted(path for path in (PROJECT / "plugins" / kind).glob("*.py"))


def tasks_of(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [task for item in items for task in (item["tasks"] if "hosts" in item else [item])]


MODULE_TASKS = [
    pytest.param(path.stem, task, id=f"{path.stem}: {task['name']}")
    for path in plugins("modules")
    for task in tasks_of(examples(path))
    if PREFIX + path.stem in task
]


def play(
    folder: Path, plays: list[dict[str, Any]], *options: str, alone: bool = False
) -> subprocess.CompletedProcess[str]:
    (folder / "home.json").write_text(json.dumps(HOME))
    (folder / "play.json").write_text(json.dumps(plays))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    enter = ["unshare", "--net", "--mount", "sh", "-ec", ALONE, "sh"] if alone else []
    return subprocess.run(
        [*enter, "ansible-playbook", "--inventory=home.json", "play.json", *options],
        capture_output=True, text=True, timeout=120, cwd=folder, stdin=subprocess.DEVNULL,
        env={
            **environment,
            "HOME": str(folder),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / "playbooks/collections"),
        },
    )  # fmt: skip


def as_plays(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Tasks become a play on one node; plays stay."""
    return [item if "hosts" in item else {"hosts": "node1", "gather_facts": False, "tasks": [item]} for item in items]


def specification(module: str, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, Any], dict[str, Any]]:
    """(argument_spec, rules) that the module gives to AnsibleModule."""
    seen: dict[str, Any] = {}

    class Asked(Exception):  # noqa: N818 - no error
        pass

    def ask(_self: object, argument_spec: dict[str, Any], **rules: Any) -> None:
        seen.update(rules, argument_spec=argument_spec)
        raise Asked

    loaded = importlib.import_module(f"{COLLECTION}.plugins.modules.{module}")
    monkeypatch.setattr(basic.AnsibleModule, "__init__", ask)
    with pytest.raises(Asked):
        loaded.main()
    return seen["argument_spec"], {name: seen[name] for name in RULES if seen.get(name)}


def documented(module: str) -> dict[str, Any]:
    """The argument_spec that follows from DOCUMENTATION."""
    documentation = yaml.safe_load(importlib.import_module(f"{COLLECTION}.plugins.modules.{module}").DOCUMENTATION)
    options = documentation.get("options") or {}
    for fragment in documentation.get("extends_documentation_fragment") or []:
        file, _dot, part = fragment.removeprefix(PREFIX).partition(".")
        loaded = importlib.import_module(f"{COLLECTION}.plugins.doc_fragments.{file}").ModuleDocFragment
        text = getattr(loaded, part.upper() or "DOCUMENTATION")
        options = {**(yaml.safe_load(text).get("options") or {}), **options}
    return {name: _spec(option) for name, option in options.items()}


def _spec(option: dict[str, Any]) -> dict[str, Any]:
    kept = {key: option[key] for key in ("type", "elements", "required", "choices", "default") if key in option}
    inner = {name: _spec(one) for name, one in (option.get("suboptions") or {}).items()}
    return {**kept, **({"options": inner} if inner else {})}


@pytest.mark.parametrize("path", [*plugins("modules"), *plugins("filter")], ids=lambda path: path.stem)
def test_every_plugin_shows_how_it_is_used(path: Path) -> None:
    shown = tasks_of(examples(path))
    assert shown, f"{path.name} has no EXAMPLES"
    assert any(PREFIX + path.stem in json.dumps(item) for item in [*shown, *examples(path)])
    assert all(task.get("name") for task in shown)


@pytest.mark.parametrize(("module", "task"), MODULE_TASKS)
def test_a_modules_options_are_its_own(module: str, task: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    # Where an action plugin does a module's work, the module's documentation is all there is.
    own = "AnsibleModule(" in (PROJECT / "plugins/modules" / f"{module}.py").read_text()
    spec, rules = specification(module, monkeypatch) if own else (documented(module), {})
    options = task[PREFIX + module] or {}
    assert set(options) <= set(spec), "unknown options"
    # What a template gives is not known here; that it is given is.
    known = {name: value for name, value in options.items() if not (isinstance(value, str) and TEMPLATE.search(value))}
    loose = {
        name: {"type": "raw", "required": one.get("required", False)} if name not in known and name in options else one
        for name, one in spec.items()
    }
    result = ArgumentSpecValidator(loose, **rules).validate(options)
    assert result.error_messages == []


def test_ansible_reads_them_all(tmp_path: Path) -> None:
    items = [item for kind in ("modules", "filter") for path in plugins(kind) for item in examples(path)]
    done = play(tmp_path, as_plays(items), "--syntax-check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_filters_examples_run(tmp_path: Path) -> None:
    items = [item for path in plugins("filter") for item in examples(path)]
    done = play(tmp_path, as_plays(items))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "VARIABLE IS NOT DEFINED" not in done.stdout
    assert sum(map(int, re.findall(r" ok=(\d+)", done.stdout))) == len(tasks_of(items))


def test_the_modules_examples_run_in_check_mode(tmp_path: Path) -> None:
    tasks = [
        {**task, "name": f"<{path.stem}> {task['name']}", "become": False, "ignore_errors": True}
        for path in plugins("modules")
        for task in tasks_of(examples(path))
    ]
    for task in tasks:
        # What they would have found is in HOME.
        if any(PREFIX + module in task for module in NEEDS):
            task.pop("register", None)
    done = play(tmp_path, [{"hosts": "node1", "gather_facts": False, "tasks": tasks}], "--check", alone=True)
    assert done.returncode == 0, done.stdout + done.stderr
    parts = re.findall(r"^TASK \[<(\w+)> (.*?)(?=^TASK |^PLAY RECAP)", done.stdout, re.MULTILINE | re.DOTALL)
    assert len(parts) == len(tasks)
    failed: dict[str, str] = {}
    for module, said in parts:
        if "fatal: [" in said:
            failed[module] = failed.get(module, "") + said
    assert sorted(failed) == sorted(NEEDS), {name: said for name, said in failed.items() if name not in NEEDS}
    for module, words in NEEDS.items():
        assert words in failed[module], failed[module]
        # What a module does not expect it lets out in Python's own words.
        assert not re.search(r"NoneType|Traceback|MODULE FAILURE", failed[module]), failed[module]
