# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The EXAMPLES that people copy: every one is a task that Ansible reads, with options that the module takes.

Filters are run for real. Of modules the options are judged by the specification that the module itself gives to
Ansible, as running them would change this machine, a router or a cluster.
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


def play(folder: Path, plays: list[dict[str, Any]], *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "home.json").write_text(json.dumps(HOME))
    (folder / "play.json").write_text(json.dumps(plays))
    environment = {key: value for key, value in os.environ.items() if not key.startswith("ANSIBLE_")}
    return subprocess.run(
        ["ansible-playbook", "--inventory=home.json", "play.json", *options],
        capture_output=True, text=True, timeout=120, cwd=folder, stdin=subprocess.DEVNULL,
        env={**environment, "ANSIBLE_COLLECTIONS_PATH": str(PROJECT / "playbooks/collections"), "ANSIBLE_NOCOLOR": "1"},
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
